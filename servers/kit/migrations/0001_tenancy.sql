-- Tenants, their API keys, and the row-level security that stands behind every tenant's table.
--
-- Queries run as salambot_app: it owns nothing, so row-level security always applies to it (it is not FORCEd on the
-- owner, whose few SECURITY DEFINER functions below answer what is asked before a tenant is known). The tenant of a
-- transaction is the setting salam.tenant; without one no row is seen and none can be written.

CREATE EXTENSION IF NOT EXISTS vector;

DO $$ BEGIN
    CREATE ROLE salambot_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
DO $$ BEGIN
    EXECUTE format('GRANT salambot_app TO %I', current_user);
EXCEPTION WHEN OTHERS THEN NULL; -- a superuser is a member of every role already
END $$;
GRANT USAGE ON SCHEMA public TO salambot_app;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- The tenant of this transaction; NULL outside of one, so that comparisons are never true.
CREATE FUNCTION salam_tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('salam.tenant', true), '');

-- Makes `name` the tenant of this transaction. The functions of the hot path begin with it, so that a whole transaction
-- is one round trip: `PERFORM salam_scope(in_tenant);`, then what they do, under row-level security like everything else.
CREATE FUNCTION salam_scope(name text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT set_config('salam.tenant', name, true);
END;

-- Puts a table with a `tenant` column behind row-level security and opens it to the app.
CREATE FUNCTION salam_protect(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY tenant ON %s USING (tenant = (SELECT salam_tenant())) WITH CHECK (tenant = (SELECT salam_tenant()))', target);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO salambot_app', target);
END $$;

CREATE TABLE tenants (
    tenant text PRIMARY KEY CHECK (tenant ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    name text NOT NULL,
    locale text NOT NULL DEFAULT 'fr-MA',
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
SELECT salam_protect('tenants');

CREATE TABLE api_keys (
    tenant text NOT NULL DEFAULT salam_tenant() REFERENCES tenants ON DELETE CASCADE,
    id text PRIMARY KEY,
    name text NOT NULL,
    digest bytea NOT NULL,
    scopes int[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
SELECT salam_protect('api_keys');
CREATE INDEX api_keys_by_tenant ON api_keys (tenant);

-- The three questions that are asked before a tenant is known. They run as the owner and give away no more than this.
CREATE FUNCTION salam_find_key(key_id text)
    RETURNS TABLE (tenant text, digest bytea, scopes int[], locale text, rate_limit int)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
BEGIN ATOMIC
    SELECT k.tenant, k.digest, k.scopes, t.locale, 
        CASE WHEN jsonb_typeof(t.settings -> 'rate_limit_per_minute') = 'number'
        THEN least(greatest((t.settings ->> 'rate_limit_per_minute')::numeric, 1), 1000000)::int END
    FROM api_keys k JOIN tenants t ON t.tenant = k.tenant
    WHERE k.id = key_id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
END;

CREATE FUNCTION salam_origin_allowed(origin text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
    RETURN EXISTS (SELECT 1 FROM tenants WHERE settings -> 'allowed_origins' ? origin);

-- Purges and other work over all tenants goes through one tenant after the other: this lists them.
CREATE FUNCTION salam_all_tenants() RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
BEGIN ATOMIC
    SELECT tenant FROM tenants ORDER BY tenant;
END;
