-- The entity types a tenant defined. A row is replaced as a whole, and has a new revision whenever it changes.

CREATE TABLE nlu_entity_types (
    tenant text NOT NULL DEFAULT salam_tenant(),
    name text COLLATE "C" NOT NULL,
    listed jsonb NOT NULL, -- [[value, synonym, ...], ...]
    code_points int NOT NULL, -- of all of `listed`
    patterns text[] NOT NULL,
    personal boolean NOT NULL,
    revision uuid NOT NULL DEFAULT gen_random_uuid(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, name)
);
SELECT salam_protect('nlu_entity_types');
