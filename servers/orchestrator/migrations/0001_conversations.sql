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

-- What is known of a message before it is answered: the reply it had before, the conversation it goes on with (the one
-- it names, else the customer's open one on this channel), and the latest turns of that, newest first.
CREATE FUNCTION orchestrator_known(
    in_tenant text, in_channel int, in_message text, in_conversation text, in_customer bytea, in_turns int
)
    RETURNS TABLE (reply bytea, answered_in text, conversation text, texts text[], replies bytea[])
    LANGUAGE plpgsql AS $$
DECLARE
    open text;
BEGIN
    PERFORM salam_scope(in_tenant);
    IF in_conversation <> '' THEN
        SELECT c.id INTO open FROM conversations c WHERE c.id = in_conversation;
    ELSIF in_customer IS NOT NULL THEN
        SELECT c.id INTO open FROM conversations c
        WHERE c.channel = in_channel AND c.customer = in_customer AND c.state <> 4;
    END IF;
    RETURN QUERY
        SELECT answered.reply, answered.conversation, open, latest.texts, latest.replies
        FROM (
            SELECT array_agg(newest.user_text) AS texts, array_agg(newest.reply) AS replies
            FROM (
                SELECT t.user_text, t.reply FROM turns t
                WHERE open IS NOT NULL AND t.conversation = open ORDER BY t.id DESC LIMIT in_turns
            ) AS newest
        ) AS latest
        LEFT JOIN (
            SELECT t.reply, t.conversation FROM turns t
            WHERE t.channel = in_channel AND t.message_id = in_message
        ) AS answered ON true;
END $$;

-- Stores a turn and returns its conversation: the one it goes on with (NULL when that is not there), else the customer's
-- open one, else a new one. A message that has a turn already is a unique violation, and nothing is written.
CREATE FUNCTION orchestrator_add_turn(
    in_tenant text, in_go_on boolean, in_conversation text, in_channel int, in_language int, in_customer bytea,
    in_turn text, in_message text, in_user_text text, in_reply bytea, in_intent text
)
    RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    kept text;
BEGIN
    PERFORM salam_scope(in_tenant);
    IF in_go_on THEN
        UPDATE conversations c SET turn_count = c.turn_count + 1, updated_at = now(), language = in_language
        WHERE c.id = in_conversation RETURNING c.id INTO kept;
    ELSE
        INSERT INTO conversations AS c (id, channel, language, customer)
        VALUES (in_conversation, in_channel, in_language, in_customer)
        ON CONFLICT (tenant, channel, customer) WHERE state <> 4
        DO UPDATE SET turn_count = c.turn_count + 1, updated_at = now(), language = in_language
        RETURNING c.id INTO kept;
    END IF;
    IF kept IS NOT NULL THEN
        INSERT INTO turns (id, conversation, channel, message_id, user_text, reply, language, intent)
        VALUES (in_turn, kept, in_channel, in_message, in_user_text, in_reply, in_language, in_intent);
    END IF;
    RETURN kept;
END $$;
