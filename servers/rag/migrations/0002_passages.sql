-- Passages as searches show them, and what is known of documents beside their text.
--
-- The vector store finds candidates, of any version; these rows say which of them stand: a passage is shown when its
-- version is the live one of its document. One statement reads both, so a reader sees the passages of one version or of
-- the next, in whatever order the stores are written.

ALTER TABLE rag_documents
    ADD COLUMN live_version int NOT NULL DEFAULT 0, -- the version searches find; 0: none
    ADD COLUMN source text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN origin text NOT NULL DEFAULT '',
    ADD COLUMN media_type text NOT NULL DEFAULT 'text/markdown',
    ADD COLUMN warnings text[] NOT NULL DEFAULT '{}',
    ADD COLUMN valid_from timestamptz,
    ADD COLUMN valid_until timestamptz;
CREATE INDEX rag_documents_by_source ON rag_documents (tenant, source, id);

CREATE TABLE rag_passages (
    tenant text NOT NULL DEFAULT salam_tenant(),
    document text COLLATE "C" NOT NULL,
    version int NOT NULL,
    loc text COLLATE "C" NOT NULL,
    position int NOT NULL, -- in the document, from 0
    title text NOT NULL,
    text text NOT NULL,
    terms int[] NOT NULL, -- ids of its terms, ascending: what statistics count
    PRIMARY KEY (tenant, document, version, loc),
    FOREIGN KEY (tenant, document) REFERENCES rag_documents (tenant, id) ON DELETE CASCADE
);
SELECT salam_protect('rag_passages');

-- In how many passages of a tenant each term stands, counted aside from time to time: what makes a word rare. Searches
-- use the last count; it decides about order, never about what is there.
CREATE TABLE rag_statistics (
    tenant text PRIMARY KEY DEFAULT salam_tenant(),
    passages int NOT NULL,
    terms int[] NOT NULL, -- ascending
    frequencies int[] NOT NULL, -- of the same length
    counted_at timestamptz NOT NULL DEFAULT now()
);
SELECT salam_protect('rag_statistics');

-- What was taken before there were passages is taken again, from its text.
UPDATE rag_documents SET state = 'pending' WHERE state = 'ready';
