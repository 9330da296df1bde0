-- What a tenant knows, one row a document. Texts lie in the object store, passages and vectors in the vector store;
-- the row says which version is meant and whether the passages are those of this version.

CREATE TABLE rag_documents (
    tenant text NOT NULL DEFAULT salam_tenant(),
    id text COLLATE "C" NOT NULL,
    version int NOT NULL DEFAULT 1,
    digest bytea NOT NULL, -- SHA-256 of everything the tenant sent
    title text NOT NULL,
    language text NOT NULL,
    category text NOT NULL,
    audience text NOT NULL CHECK (audience IN ('public', 'internal')),
    url text NOT NULL,
    attributes jsonb NOT NULL,
    -- pending: passages are not those of this version yet; deleting: on its way out, hidden from everyone
    state text NOT NULL CHECK (state IN ('pending', 'ready', 'failed', 'deleting')),
    problem text NOT NULL DEFAULT '',
    passage_count int NOT NULL DEFAULT 0,
    embedder bit(256), -- fingerprint of the model that made the vectors
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);
SELECT salam_protect('rag_documents');

-- Whether a row waits for work: an interrupted write, or vectors of another model (a bit or two may differ between
-- processors, some 128 differ between models).
CREATE FUNCTION rag_unfinished(state text, made_by bit, embedder bit) RETURNS boolean LANGUAGE sql IMMUTABLE
    RETURN state IN ('pending', 'deleting') OR (state = 'ready' AND bit_count(made_by # embedder) > 8);

-- Tenants with documents that wait for work; runs as the owner, before a tenant is known, and tells no more than that.
CREATE FUNCTION rag_unfinished_tenants(embedder bit) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
BEGIN ATOMIC
    SELECT DISTINCT d.tenant FROM rag_documents d WHERE rag_unfinished(d.state, d.embedder, rag_unfinished_tenants.embedder);
END;
