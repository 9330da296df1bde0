-- Vectors, list-partitioned by tenant. A partition belongs to the owner and is reached through the parent alone.

CREATE TABLE vectors (
    tenant text NOT NULL DEFAULT salam_tenant(),
    id text NOT NULL,
    document text NOT NULL,
    embedding vector(256) NOT NULL,
    payload jsonb NOT NULL,
    PRIMARY KEY (tenant, id)
) PARTITION BY LIST (tenant);
CREATE INDEX vectors_by_document ON vectors (tenant, document);
CREATE INDEX vectors_by_nearness ON vectors USING hnsw (embedding vector_ip_ops);
SELECT salam_protect('vectors');

-- Makes the partition of the current tenant, once.
CREATE FUNCTION salam_vector_partition() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    owner_of_rows text := salam_tenant();
    partition text := 'vectors_' || md5(owner_of_rows);
BEGIN
    IF owner_of_rows IS NULL OR to_regclass(partition) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext(partition));
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF vectors FOR VALUES IN (%L)', partition, owner_of_rows);
END $$;

-- The items nearest to `query` (unit vectors: the inner product is the cosine; `<#>` is its negative). A payload must
-- hold all of `must`, and for each key of `among` one of the values listed there.
CREATE FUNCTION salam_nearest(in_tenant text, query vector, must jsonb, among jsonb, most int)
    RETURNS TABLE (id text, score float8, payload jsonb)
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM salam_scope(in_tenant);
    RETURN QUERY
        SELECT v.id, -(v.embedding <#> query), v.payload FROM vectors v
        WHERE v.tenant = in_tenant AND v.payload @> must
        AND (among = '{}' OR NOT EXISTS (
            SELECT FROM jsonb_each(among) AS listed WHERE NOT coalesce(listed.value ? (v.payload ->> listed.key), false)
        ))
        ORDER BY v.embedding <#> query LIMIT most;
END $$;
