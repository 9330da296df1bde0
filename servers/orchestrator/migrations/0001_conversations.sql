-- Conversations and their turns. Texts are masked by the tenant's policy before they come here, and the customer at the
-- channel (a phone number, a PSID) is known by a keyed hash alone.

CREATE TABLE conversations (
    tenant text NOT NULL DEFAULT salam_tenant(),
    id text NOT NULL,
    channel int NOT NULL,
    customer bytea, -- NULL: nobody known, the conversation holds one turn
    state int NOT NULL DEFAULT 1, -- orchestrator.v1.ConversationState
    language int NOT NULL,
    turn_count int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);
SELECT salam_protect('conversations');
-- A customer has one open conversation on a channel (4: closed).
CREATE UNIQUE INDEX conversations_open ON conversations (tenant, channel, customer) WHERE state <> 4;
CREATE INDEX conversations_latest ON conversations (tenant, updated_at DESC, id DESC);

CREATE TABLE turns (
    tenant text NOT NULL DEFAULT salam_tenant(),
    id text NOT NULL, -- time-ordered
    conversation text NOT NULL,
    channel int NOT NULL,
    message_id text NOT NULL,
    user_text text NOT NULL,
    reply bytea NOT NULL, -- orchestrator.v1.Reply
    language int NOT NULL,
    intent text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, channel, message_id), -- a redelivered message has one turn
    FOREIGN KEY (tenant, conversation) REFERENCES conversations (tenant, id) ON DELETE CASCADE
);
SELECT salam_protect('turns');
CREATE INDEX turns_of_conversation ON turns (tenant, conversation, id);
CREATE INDEX turns_by_age ON turns (tenant, created_at);
