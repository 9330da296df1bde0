-- A process that has the app's role alone looks at its start whether the schema is up to date.

GRANT SELECT ON salam_migrations TO salambot_app;
