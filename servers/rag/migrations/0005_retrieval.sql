-- What retrieval asks of the rows.

-- Of the passages asked for, those that stand: of their documents' live versions, now, for this audience. One statement
-- reads passages and documents, so what comes back is of one moment.
CREATE FUNCTION rag_standing(in_tenant text, documents text[], versions int[], locs text[], internal boolean)
    RETURNS TABLE (
        document text, version int, loc text, title text, body text, document_title text, url text, language text
    )
    LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    PERFORM salam_scope(in_tenant);
    RETURN QUERY
        SELECT p.document, p.version, p.loc, p.title, p.text, d.title, d.url, d.language
        FROM unnest(documents, versions, locs) AS asked (document, version, loc)
        JOIN rag_passages p ON (p.tenant, p.document, p.version, p.loc) = (in_tenant, asked.document, asked.version, asked.loc)
        JOIN rag_documents d ON (d.tenant, d.id) = (in_tenant, p.document)
        WHERE d.live_version = p.version AND (internal OR d.audience = 'public')
            AND coalesce(d.valid_from <= now(), true) AND coalesce(now() < d.valid_until, true);
END $$;

-- Counts in how many of a tenant's live passages each term stands. Terms of one passage alone are left out: they are as
-- rare as those of none.
CREATE FUNCTION rag_count_terms(in_tenant text) RETURNS void LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    PERFORM salam_scope(in_tenant);
    INSERT INTO rag_statistics AS known (passages, terms, frequencies)
    WITH live AS (
        SELECT p.terms FROM rag_passages p
        JOIN rag_documents d ON (d.tenant, d.id, d.live_version) = (p.tenant, p.document, p.version)
        WHERE p.tenant = in_tenant
    ), counted AS (
        SELECT term, count(*)::int AS frequency FROM live, unnest(live.terms) AS term GROUP BY term HAVING count(*) > 1
    )
    SELECT (SELECT count(*) FROM live), coalesce(array_agg(term ORDER BY term), '{}'),
        coalesce(array_agg(frequency ORDER BY term), '{}')
    FROM counted
    ON CONFLICT (tenant) DO UPDATE
    SET passages = excluded.passages, terms = excluded.terms, frequencies = excluded.frequencies, counted_at = now();
END $$;

-- What was counted of a tenant, and when; no row where nothing was.
CREATE FUNCTION rag_counted(in_tenant text) RETURNS SETOF rag_statistics LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    PERFORM salam_scope(in_tenant);
    RETURN QUERY SELECT * FROM rag_statistics s WHERE s.tenant = in_tenant;
END $$;

CREATE FUNCTION rag_counted_at(in_tenant text) RETURNS TABLE (counted_at timestamptz)
    LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    PERFORM salam_scope(in_tenant);
    RETURN QUERY SELECT s.counted_at FROM rag_statistics s WHERE s.tenant = in_tenant;
END $$;
