-- A tenant's own intents: the examples it gave, the versions trained on them, and which of these is in force.

CREATE TABLE nlu_intent_examples (
    tenant text NOT NULL DEFAULT salam_tenant(),
    id text COLLATE "C" NOT NULL, -- hash of intent and text
    intent text COLLATE "C" NOT NULL,
    text text COLLATE "C" NOT NULL, -- masked by the tenant's policy
    language int NOT NULL, -- common.v1.Language
    -- Of the order of lists: whole texts, up to 2,000 code points, would make poor keys. A column and not an expression,
    -- which row-level security would keep away from the index.
    beginning text COLLATE "C" NOT NULL GENERATED ALWAYS AS (left(text, 30)) STORED,
    PRIMARY KEY (tenant, id)
);
SELECT salam_protect('nlu_intent_examples');
CREATE INDEX nlu_intent_examples_in_order ON nlu_intent_examples (tenant, intent, beginning, id);

CREATE TABLE nlu_intent_versions (
    tenant text NOT NULL DEFAULT salam_tenant(),
    number int NOT NULL,
    state int NOT NULL DEFAULT 1, -- nlu.v1.IntentVersionState
    stage int NOT NULL DEFAULT 1, -- nlu.v1.TrainingStage
    progress float8 NOT NULL DEFAULT 0,
    attempts int NOT NULL DEFAULT 0,
    publish text NOT NULL CHECK (publish IN ('never', 'unless_worse', 'always')), -- once it is trained
    encoder text NOT NULL, -- version of the model whose vectors the head reads
    examples int NOT NULL,
    intents int NOT NULL,
    head bytea,
    report jsonb, -- nlu.v1.IntentReport
    problem text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    trained_at timestamptz,
    published_at timestamptz,
    PRIMARY KEY (tenant, number)
);
SELECT salam_protect('nlu_intent_versions');
-- One training a tenant at a time (1: queued, 2: training).
CREATE UNIQUE INDEX nlu_intent_versions_unfinished ON nlu_intent_versions (tenant) WHERE state IN (1, 2);

-- One row a tenant, locked by whatever changes the tenant's intents.
CREATE TABLE nlu_intents (
    tenant text NOT NULL DEFAULT salam_tenant() PRIMARY KEY,
    last_version int NOT NULL DEFAULT 0, -- numbers are never given twice
    history int[] NOT NULL DEFAULT '{}' -- versions put in force, the last is in force; 0 where none was
);
SELECT salam_protect('nlu_intents');
