-- Where a tenant's vectors are: its row is written with its first document, so that another default moves nothing.
--
-- While a tenant is moved, every change is written to both stores:
--   copying   searches ask `store`; `other`, where the tenant goes, is being filled, up to document `copied`
--   leaving   searches ask `store`, the new one; some may still ask `other`, the one it leaves
--   dropping  nobody asks or writes `other` any more; what is there is removed

CREATE TABLE rag_placements (
    tenant text PRIMARY KEY DEFAULT salam_tenant(),
    store text NOT NULL,
    phase text NOT NULL DEFAULT 'settled' CHECK (phase IN ('settled', 'copying', 'leaving', 'dropping')),
    other text CHECK ((other IS NULL) = (phase = 'settled')),
    copied text COLLATE "C" NOT NULL DEFAULT ''
);
SELECT salam_protect('rag_placements');
