-- Imports: what was asked for, its items with what became of each, and the files sent for them.

-- A document is published in two steps: what it shall be is announced here, with its passages under the new version, and
-- becomes the columns beside it in the statement that makes this version the live one. Searches read the columns, and so
-- never join the passages of one version to the audience, the address or the dates of another.
ALTER TABLE rag_documents
    ADD COLUMN wanted bytea, -- rag.v1.Document without its text; NULL once it is live
    ADD COLUMN littered boolean NOT NULL DEFAULT false; -- the vector store may hold items of versions that are not live

CREATE INDEX rag_documents_hidden ON rag_documents (tenant) WHERE state = 'deleting';

-- Whether a row waits for work: an interrupted write, items left behind, or vectors of another model (a bit or two may
-- differ between processors, some 128 differ between models).
CREATE FUNCTION rag_waits(d rag_documents, embedder bit) RETURNS boolean LANGUAGE sql IMMUTABLE
    RETURN d.state IN ('pending', 'deleting')
        OR (d.state = 'ready' AND (d.littered OR bit_count(d.embedder # rag_waits.embedder) > 8));

-- Tenants with documents that wait for work; runs as the owner, before a tenant is known, and tells no more than that.
DROP FUNCTION rag_unfinished_tenants;
CREATE FUNCTION rag_waiting_tenants(embedder bit) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
BEGIN ATOMIC
    SELECT DISTINCT d.tenant FROM rag_documents d WHERE rag_waits(d, rag_waiting_tenants.embedder);
END;
DROP FUNCTION rag_unfinished;

CREATE TABLE rag_imports (
    tenant text NOT NULL DEFAULT salam_tenant(),
    id text COLLATE "C" NOT NULL, -- ascending with time
    source text NOT NULL,
    origin bytea NOT NULL, -- rag.v1.Origin, without credentials
    credentials bytea, -- of a bucket, sealed; erased when the import ends
    defaults bytea NOT NULL, -- rag.v1.DocumentDefaults
    prune boolean NOT NULL,
    state int NOT NULL DEFAULT 1, -- rag.v1.ImportState
    problem text NOT NULL DEFAULT '',
    attempts int NOT NULL DEFAULT 0, -- since an item was last done
    listed boolean NOT NULL DEFAULT false,
    items int NOT NULL DEFAULT 0,
    taken int NOT NULL DEFAULT 0,
    unchanged int NOT NULL DEFAULT 0,
    skipped int NOT NULL DEFAULT 0,
    failed int NOT NULL DEFAULT 0,
    removed int NOT NULL DEFAULT 0,
    passages int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    PRIMARY KEY (tenant, id)
);
SELECT salam_protect('rag_imports');
-- One import a source at a time (1: running).
CREATE UNIQUE INDEX rag_imports_running ON rag_imports (tenant, source) WHERE state = 1;

CREATE TABLE rag_import_items (
    tenant text NOT NULL DEFAULT salam_tenant(),
    import text COLLATE "C" NOT NULL,
    position int NOT NULL, -- in the origin, from 1
    name text COLLATE "C" NOT NULL,
    document text COLLATE "C" NOT NULL, -- what it becomes
    outcome int NOT NULL DEFAULT 1, -- rag.v1.ItemOutcome
    reason text NOT NULL DEFAULT '',
    passages int NOT NULL DEFAULT 0,
    warnings text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant, import, position),
    FOREIGN KEY (tenant, import) REFERENCES rag_imports (tenant, id) ON DELETE CASCADE
);
SELECT salam_protect('rag_import_items');
CREATE INDEX rag_import_items_by_outcome ON rag_import_items (tenant, import, outcome, position);

CREATE TABLE rag_files (
    tenant text NOT NULL DEFAULT salam_tenant(),
    id text COLLATE "C" NOT NULL, -- SHA-256 of name and bytes
    name text NOT NULL,
    size bigint NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);
SELECT salam_protect('rag_files');
