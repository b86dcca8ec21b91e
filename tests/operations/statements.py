"""SQL as people write it into `op.execute`, and what each statement is to be read as.

Not what is there today, but what is right: a statement that can reach further than its words say stays unknown. Each
reading is that of `phrase`, several in order; `benchmarks/statements.py` counts them.
"""

from __future__ import annotations

STATEMENTS: tuple[tuple[str, str], ...] = (
    (
        "ALTER TABLE users ADD COLUMN IF NOT EXISTS nick varchar(40)",
        "adds column `users.nick`",
    ),
    (
        "ALTER TABLE users ADD COLUMN nick text NOT NULL DEFAULT ''",
        "adds column `users.nick`",
    ),
    (
        "ALTER TABLE users ADD nick text",
        "adds column `users.nick`",
    ),
    (
        "ALTER TABLE app.users ADD COLUMN team_id integer REFERENCES teams (id) ON DELETE SET NULL",
        "adds column `app.users.team_id`",
    ),
    (
        "ALTER TABLE users ADD COLUMN code text UNIQUE",
        "adds column `users.code`",
    ),
    (
        "ALTER TABLE users ADD COLUMN id bigserial PRIMARY KEY",
        "adds column `users.id`",
    ),
    (
        "ALTER TABLE users ADD COLUMN total numeric(10, 2) GENERATED ALWAYS AS (price * amount) STORED",
        "adds column `users.total`",
    ),
    (
        "ALTER TABLE users ADD COLUMN made_at timestamp with time zone DEFAULT now() NOT NULL",
        "adds column `users.made_at`",
    ),
    (
        "ALTER TABLE users ADD COLUMN tags text[] DEFAULT '{}'",
        "adds column `users.tags`",
    ),
    (
        "ALTER TABLE users ADD COLUMN age int CHECK (age > 0)",
        "adds column `users.age`",
    ),
    (
        "ALTER TABLE users DROP COLUMN IF EXISTS nick",
        "drops column `users.nick`",
    ),
    (
        "ALTER TABLE users DROP COLUMN nick RESTRICT",
        "drops column `users.nick`",
    ),
    (
        "ALTER TABLE users DROP nick",
        "drops column `users.nick`",
    ),
    (
        "ALTER TABLE users DROP COLUMN nick CASCADE",
        "drops column `users.nick`; unknown",
    ),
    (
        "ALTER TABLE users ADD COLUMN a int, ADD COLUMN b int",
        "adds column `users.a`; adds column `users.b`",
    ),
    (
        "ALTER TABLE users ADD COLUMN IF NOT EXISTS a int, DROP COLUMN IF EXISTS b",
        "adds column `users.a`; drops column `users.b`",
    ),
    (
        "ALTER TABLE users ALTER COLUMN a SET NOT NULL, ALTER COLUMN b DROP DEFAULT",
        "sets `users.a` to NOT NULL; changes the default of `users.b`",
    ),
    (
        "ALTER TABLE users ALTER COLUMN a TYPE bigint, ALTER COLUMN b TYPE bigint USING b::bigint",
        "changes the type of `users.a`; changes the type of `users.b`",
    ),
    (
        "ALTER TABLE IF EXISTS users ADD COLUMN a int",
        "unknown",
    ),
    (
        "ALTER TABLE ONLY users ADD CONSTRAINT pk_users PRIMARY KEY (id)",
        "adds the primary key constraint `pk_users` to `users`",
    ),
    (
        "ALTER TABLE users ADD PRIMARY KEY (id)",
        "adds the primary key constraint to `users`",
    ),
    (
        "ALTER TABLE users ADD CONSTRAINT uq_users_name UNIQUE (name, team)",
        "adds the unique constraint `uq_users_name` to `users`",
    ),
    (
        "ALTER TABLE users ADD CONSTRAINT uq_users_name UNIQUE USING INDEX ix_users_name",
        "drops index `ix_users_name`; adds the unique constraint `uq_users_name` to `users`",
    ),
    (
        "ALTER TABLE users ADD CONSTRAINT ck_age CHECK (age > 0) NOT VALID",
        "adds the check constraint `ck_age` to `users`",
    ),
    (
        "ALTER TABLE users ADD CONSTRAINT fk_team FOREIGN KEY (team_id) REFERENCES teams (id) NOT VALID",
        "adds the foreign key constraint `fk_team` to `users`",
    ),
    (
        "ALTER TABLE users ADD FOREIGN KEY (team_id) REFERENCES teams (id) ON DELETE NO ACTION DEFERRABLE",
        "adds the foreign key constraint to `users`",
    ),
    (
        "ALTER TABLE users ADD CONSTRAINT no_overlap EXCLUDE USING gist (room WITH =, during WITH &&)",
        "adds the exclude constraint `no_overlap` to `users`",
    ),
    (
        "ALTER TABLE users VALIDATE CONSTRAINT fk_team",
        "sets the validity of `fk_team` of `users`",
    ),
    (
        "ALTER TABLE users DROP CONSTRAINT fk_team",
        "drops constraint `fk_team` of `users`",
    ),
    (
        "ALTER TABLE users DROP CONSTRAINT IF EXISTS fk_team, DROP CONSTRAINT IF EXISTS ck_age",
        "drops constraint `fk_team` of `users`; drops constraint `ck_age` of `users`",
    ),
    (
        "ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE",
        "drops constraint `users_pkey` of `users`; unknown",
    ),
    (
        "ALTER TABLE users RENAME CONSTRAINT fk_team TO fk_users_team",
        "renames constraint `fk_team` to `fk_users_team`",
    ),
    (
        "ALTER TABLE users RENAME TO people",
        "renames table `users` to `people`",
    ),
    (
        "ALTER TABLE users RENAME COLUMN name TO full_name",
        "renames column `users.name` to `full_name`",
    ),
    (
        "ALTER TABLE users RENAME name TO full_name",
        "renames column `users.name` to `full_name`",
    ),
    (
        "ALTER TABLE users SET SCHEMA archive",
        "renames table `users` to `archive.users`",
    ),
    (
        "ALTER TABLE users ALTER COLUMN name TYPE text",
        "changes the type of `users.name`",
    ),
    (
        "ALTER TABLE users ALTER name SET DATA TYPE varchar(200)",
        "changes the type of `users.name`",
    ),
    (
        "ALTER TABLE users ALTER COLUMN tier TYPE tier USING tier::text::tier",
        "changes the type of `users.tier`",
    ),
    (
        "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'x'",
        "changes the default of `users.name`",
    ),
    (
        "ALTER TABLE users ALTER COLUMN id SET DEFAULT nextval('users_id_seq')",
        "changes the default of `users.id`",
    ),
    (
        "ALTER TABLE users ALTER COLUMN name DROP NOT NULL",
        "changes the NULL rule of `users.name`",
    ),
    (
        "ALTER TABLE users ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY",
        "changes the default of `users.id`",
    ),
    (
        "ALTER TABLE users ALTER COLUMN id DROP IDENTITY IF EXISTS",
        "changes the default of `users.id`",
    ),
    (
        "ALTER TABLE users ALTER COLUMN data SET STATISTICS 1000",
        "changes the statistics of `users.data`",
    ),
    (
        "ALTER TABLE users ALTER COLUMN data SET STORAGE EXTERNAL",
        "changes the storage of `users.data`",
    ),
    (
        "ALTER TABLE users OWNER TO app",
        "sets the owner of `users`",
    ),
    (
        "ALTER TABLE users SET (autovacuum_enabled = false, fillfactor = 70)",
        "sets the storage of `users`",
    ),
    (
        "ALTER TABLE users RESET (fillfactor)",
        "sets the storage of `users`",
    ),
    (
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
        "sets the row level security of `users`",
    ),
    (
        "ALTER TABLE users REPLICA IDENTITY FULL",
        "sets the replica identity of `users`",
    ),
    (
        "ALTER TABLE users SET UNLOGGED",
        "sets the storage of `users`",
    ),
    (
        "ALTER TABLE users CLUSTER ON ix_users_name",
        "sets the cluster of `users`",
    ),
    (
        "ALTER TABLE users DISABLE TRIGGER ALL",
        "unknown",
    ),
    (
        "ALTER TABLE users ATTACH PARTITION users_2026 FOR VALUES FROM (1) TO (2)",
        "unknown",
    ),
    (
        "ALTER TABLE users INHERIT people",
        "unknown",
    ),
    (
        "ALTER TABLE users FORCE ROW LEVEL SECURITY",
        "unknown",
    ),
    (
        "ALTER TABLE users MODIFY COLUMN name VARCHAR(100) NOT NULL",
        "changes the type of `users.name`",
    ),
    (
        "ALTER TABLE users ADD INDEX ix_name (name)",
        "creates index `ix_name` on `users`",
    ),
    (
        "ALTER TABLE users DROP FOREIGN KEY fk_team",
        "drops constraint `fk_team` of `users`",
    ),
    (
        "ALTER TABLE users DROP INDEX ix_name",
        "drops index `ix_name`",
    ),
    (
        "ALTER INDEX ix_users_name RENAME TO ix_users_full_name",
        "renames index `ix_users_name` to `ix_users_full_name`",
    ),
    (
        "ALTER INDEX IF EXISTS app.ix_a RENAME TO ix_b",
        "renames index `app.ix_a` to `ix_b`",
    ),
    (
        "ALTER INDEX ix_a SET (fillfactor = 70)",
        "runs `ALTER INDEX ix_a SET (fillfactor = 70)`",
    ),
    (
        "ALTER SEQUENCE users_id_seq RESTART WITH 1000",
        "runs `ALTER SEQUENCE users_id_seq RESTART WITH 1000`; reads rows",
    ),
    (
        "ALTER SEQUENCE users_id_seq OWNED BY users.id",
        "runs `ALTER SEQUENCE users_id_seq OWNED BY users.id`; reads rows",
    ),
    (
        "ALTER SEQUENCE users_id_seq AS bigint",
        "runs `ALTER SEQUENCE users_id_seq AS bigint`",
    ),
    (
        "ALTER SEQUENCE users_id_seq RENAME TO people_id_seq",
        "renames sequence `users_id_seq` to `people_id_seq`",
    ),
    (
        "ALTER VIEW active_users RENAME TO active_people",
        "renames view `active_users` to `active_people`",
    ),
    (
        "ALTER MATERIALIZED VIEW totals RENAME TO sums",
        "renames materialized view `totals` to `sums`",
    ),
    (
        "ALTER VIEW active_users OWNER TO app",
        "runs `ALTER VIEW active_users OWNER TO app`",
    ),
    (
        "ALTER TYPE tier ADD VALUE 'gold'",
        "adds the label `gold` to type `tier`",
    ),
    (
        "ALTER TYPE tier ADD VALUE IF NOT EXISTS 'gold' AFTER 'silver'",
        "adds the label `gold` to type `tier`",
    ),
    (
        "ALTER TYPE tier RENAME VALUE 'gold' TO 'golden'",
        "renames the label `gold` of type `tier`",
    ),
    (
        "ALTER TYPE tier RENAME TO tier_old",
        "renames type `tier` to `tier_old`",
    ),
    (
        "ALTER TYPE tier SET SCHEMA archive",
        "renames type `tier` to `archive.tier`",
    ),
    (
        "ALTER TYPE tier OWNER TO app",
        "runs `ALTER TYPE tier OWNER TO app`",
    ),
    (
        "ALTER SCHEMA shop RENAME TO store",
        "unknown",
    ),
    (
        "ALTER FUNCTION touch() OWNER TO app",
        "runs `ALTER FUNCTION touch() OWNER TO app`",
    ),
    (
        "ALTER DATABASE app SET timezone TO 'UTC'",
        "unknown",
    ),
    (
        "ALTER EXTENSION postgis UPDATE",
        "unknown",
    ),
    (
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader",
        "unknown",
    ),
    (
        "COMMENT ON TABLE users IS 'people'",
        "changes the comment of `users`",
    ),
    (
        "COMMENT ON COLUMN app.users.name IS 'as they call themselves'",
        "changes the comment of `app.users.name`",
    ),
    (
        "COMMENT ON COLUMN users.name IS NULL",
        "changes the comment of `users.name`",
    ),
    (
        "COMMENT ON INDEX ix_users_name IS 'for the search'",
        "runs `COMMENT ON INDEX ix_users_name IS 'for the search'`",
    ),
    (
        "COMMENT ON CONSTRAINT fk_team ON users IS 'x'",
        "sets the comment of `fk_team` of `users`",
    ),
    (
        "COMMENT ON FUNCTION touch() IS 'x'",
        "runs `COMMENT ON FUNCTION touch() IS 'x'`",
    ),
    (
        "GRANT SELECT ON users TO reader",
        "runs `GRANT SELECT ON users TO reader`",
    ),
    (
        "GRANT SELECT, INSERT ON TABLE users, teams TO app WITH GRANT OPTION",
        "runs `GRANT SELECT, INSERT ON TABLE users, teams TO app WITH GRANT OPTION`",
    ),
    (
        "GRANT USAGE ON SEQUENCE users_id_seq TO app",
        "runs `GRANT USAGE ON SEQUENCE users_id_seq TO app`",
    ),
    (
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
        "unknown",
    ),
    (
        "GRANT app TO bob",
        "unknown",
    ),
    (
        "REVOKE ALL ON users FROM PUBLIC",
        "runs `REVOKE ALL ON users FROM PUBLIC`",
    ),
    (
        "TRUNCATE users",
        "deletes rows of `users`",
    ),
    (
        "TRUNCATE TABLE users, teams RESTART IDENTITY",
        "deletes rows of `users`; deletes rows of `teams`",
    ),
    (
        "TRUNCATE users CASCADE",
        "deletes rows of `users`; unknown",
    ),
    (
        "SELECT 1",
        "reads rows",
    ),
    (
        "SELECT * FROM users WHERE age > 1",
        "reads rows",
    ),
    (
        "SELECT setval('users_id_seq', (SELECT max(id) FROM users))",
        "reads rows",
    ),
    (
        "SELECT setval(pg_get_serial_sequence('users', 'id'), coalesce(max(id), 1)) FROM users",
        "reads rows",
    ),
    (
        "SELECT pg_advisory_xact_lock(42)",
        "reads rows",
    ),
    (
        "SELECT count(*) FROM users u JOIN teams t ON t.id = u.team_id",
        "reads rows",
    ),
    (
        "SELECT tidy_up()",
        "unknown",
    ),
    (
        "SELECT create_hypertable('events', 'at')",
        "unknown",
    ),
    (
        "SELECT id INTO copies FROM users",
        "reads rows; creates table `copies`",
    ),
    (
        "SELECT set_config('search_path', '', false)",
        "unknown",
    ),
    (
        "COMMIT",
        "runs `COMMIT`",
    ),
    (
        "COMMIT; BEGIN",
        "runs `COMMIT`; runs `BEGIN`",
    ),
    (
        "START TRANSACTION",
        "runs `START TRANSACTION`",
    ),
    (
        "ROLLBACK",
        "unknown",
    ),
    (
        "SAVEPOINT before",
        "runs `SAVEPOINT before`",
    ),
    (
        "SET lock_timeout = '5s'",
        "runs `SET lock_timeout = '5s'`",
    ),
    (
        "SET LOCAL statement_timeout TO 0",
        "runs `SET LOCAL statement_timeout TO 0`",
    ),
    (
        "SET CONSTRAINTS ALL DEFERRED",
        "unknown",
    ),
    (
        "SET search_path TO shop",
        "unknown",
    ),
    (
        "SET ROLE owner",
        "unknown",
    ),
    (
        "SET session_replication_role = replica",
        "unknown",
    ),
    (
        "RESET ALL",
        "unknown",
    ),
    (
        "PRAGMA foreign_keys=OFF",
        "unknown",
    ),
    (
        "ANALYZE users",
        "runs `ANALYZE users`",
    ),
    (
        "ANALYZE",
        "runs `ANALYZE`",
    ),
    (
        "VACUUM ANALYZE users",
        "runs `VACUUM ANALYZE users`",
    ),
    (
        "REINDEX INDEX CONCURRENTLY ix_users_name",
        "runs `REINDEX INDEX CONCURRENTLY ix_users_name`",
    ),
    (
        "LOCK TABLE users IN ACCESS EXCLUSIVE MODE",
        "runs `LOCK TABLE users IN ACCESS EXCLUSIVE MODE`",
    ),
    (
        "REFRESH MATERIALIZED VIEW CONCURRENTLY totals",
        "unknown",
    ),
    (
        "CREATE TABLE teams (id serial PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, boss int REFERENCES users)",
        "creates table `teams`",
    ),
    (
        "CREATE TABLE IF NOT EXISTS app.teams (id int, CONSTRAINT pk_teams PRIMARY KEY (id), UNIQUE (name))",
        "creates table `app.teams`",
    ),
    (
        "CREATE UNLOGGED TABLE scratch (id int)",
        "creates table `scratch`",
    ),
    (
        "CREATE TEMP TABLE scratch (id int)",
        "creates table `scratch`",
    ),
    (
        "CREATE TEMPORARY TABLE scratch AS SELECT id FROM users",
        "reads rows; creates table `scratch`",
    ),
    (
        "CREATE TABLE copies AS SELECT * FROM users",
        "reads rows; creates table `copies`",
    ),
    (
        "CREATE TABLE copies (LIKE users INCLUDING ALL)",
        "reads rows; creates table `copies`",
    ),
    (
        "CREATE TABLE events (id int, at date) PARTITION BY RANGE (at)",
        "creates table `events`",
    ),
    (
        "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM (1) TO (2)",
        "unknown",
    ),
    (
        "CREATE TABLE little (id INTEGER PRIMARY KEY AUTOINCREMENT) WITHOUT ROWID",
        "creates table `little`",
    ),
    (
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ix_name ON users (lower(name)) WHERE age > 1",
        "creates index `ix_name` on `users`",
    ),
    (
        "CREATE INDEX ix_name ON users USING gin (name gin_trgm_ops)",
        "creates index `ix_name` on `users`",
    ),
    (
        "CREATE TYPE tier AS ENUM ('a', 'b')",
        "creates type `tier`",
    ),
    (
        "CREATE TYPE pair AS (a int, b int)",
        "creates type `pair`",
    ),
    (
        "CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%')",
        "creates type `email`",
    ),
    (
        "CREATE VIEW active AS SELECT id FROM users",
        "creates view `active`",
    ),
    (
        "CREATE OR REPLACE VIEW active AS SELECT * FROM users",
        "creates view `active`",
    ),
    (
        "CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM users WITH NO DATA",
        "creates materialized view `totals`",
    ),
    (
        "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
        "creates function `touch`",
    ),
    (
        "CREATE TRIGGER tr BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch()",
        "creates trigger `tr`",
    ),
    (
        "CREATE SEQUENCE IF NOT EXISTS numbers START 5",
        "creates sequence `numbers`",
    ),
    (
        "CREATE SCHEMA IF NOT EXISTS shop",
        "creates schema `shop`",
    ),
    (
        'CREATE EXTENSION IF NOT EXISTS "uuid-ossp"',
        "creates extension `uuid-ossp`",
    ),
    (
        "CREATE POLICY own ON users USING (owner = current_user)",
        "unknown",
    ),
    (
        "CREATE ROLE reader",
        "unknown",
    ),
    (
        "CREATE STATISTICS st ON a, b FROM users",
        "unknown",
    ),
    (
        "CREATE RULE r AS ON INSERT TO users DO INSTEAD NOTHING",
        "unknown",
    ),
    (
        "DROP TABLE users",
        "drops table `users`",
    ),
    (
        "DROP TABLE IF EXISTS users, teams",
        "drops table `users`; drops table `teams`",
    ),
    (
        "DROP TABLE users CASCADE",
        "drops table `users`; unknown",
    ),
    (
        "DROP INDEX CONCURRENTLY IF EXISTS ix_name",
        "drops index `ix_name`",
    ),
    (
        "DROP INDEX ix_name ON users",
        "drops index `ix_name`",
    ),
    (
        "DROP TYPE IF EXISTS tier",
        "drops type `tier`",
    ),
    (
        "DROP VIEW IF EXISTS active",
        "drops view `active`",
    ),
    (
        "DROP MATERIALIZED VIEW totals",
        "drops materialized view `totals`",
    ),
    (
        "DROP FUNCTION IF EXISTS touch(integer, text)",
        "drops function `touch`",
    ),
    (
        "DROP TRIGGER IF EXISTS tr ON users",
        "drops trigger `tr`",
    ),
    (
        "DROP SEQUENCE numbers",
        "drops sequence `numbers`",
    ),
    (
        "DROP SCHEMA IF EXISTS shop CASCADE",
        "drops schema `shop`; unknown",
    ),
    (
        "DROP EXTENSION IF EXISTS hstore",
        "drops extension `hstore`",
    ),
    (
        "DROP POLICY own ON users",
        "unknown",
    ),
    (
        "UPDATE users SET name = 'x', age = age + 1 WHERE id = :id",
        "updates rows of `users`",
    ),
    (
        "UPDATE users AS u SET team_id = t.id FROM teams t WHERE t.name = u.team",
        "updates rows of `users`",
    ),
    (
        "UPDATE users SET (name, age) = (SELECT n, a FROM old WHERE old.id = users.id)",
        "updates rows of `users`",
    ),
    (
        "UPDATE ONLY users SET name = trim(name)",
        "updates rows of `users`",
    ),
    (
        "INSERT INTO users (id, name) VALUES (1, 'x'), (2, 'y')",
        "inserts rows into `users`",
    ),
    (
        "INSERT INTO users (id) SELECT id FROM people ON CONFLICT (id) DO NOTHING",
        "inserts rows into `users`",
    ),
    (
        "INSERT INTO users DEFAULT VALUES",
        "inserts rows into `users`",
    ),
    (
        "INSERT OR IGNORE INTO users (id) VALUES (1)",
        "inserts rows into `users`",
    ),
    (
        "INSERT INTO users (id) VALUES (1) RETURNING id",
        "inserts rows into `users`",
    ),
    (
        "DELETE FROM users",
        "deletes rows of `users`",
    ),
    (
        "DELETE FROM users USING teams WHERE teams.id = users.team_id",
        "deletes rows of `users`",
    ),
    (
        "WITH old AS (SELECT id FROM users WHERE age > 9) UPDATE teams SET boss = old.id FROM old",
        "updates rows of `teams`",
    ),
    (
        "WITH moved AS (DELETE FROM users RETURNING *) INSERT INTO people SELECT * FROM moved",
        "deletes rows of `users`; inserts rows into `people`",
    ),
    (
        "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) DELETE FROM users USING t WHERE id = n",
        "deletes rows of `users`",
    ),
    (
        "WITH x AS (SELECT tidy_up()) DELETE FROM users",
        "unknown",
    ),
    (
        "MERGE INTO users USING people ON users.id = people.id WHEN MATCHED THEN DELETE",
        "deletes rows of `users`",
    ),
    (
        "COPY users FROM '/tmp/users.csv'",
        "unknown",
    ),
    (
        "CALL tidy_up()",
        "unknown",
    ),
    (
        "DO $$ BEGIN DROP TABLE users; END $$",
        "unknown",
    ),
    (
        "EXECUTE prepared",
        "unknown",
    ),
    ("GRANT USAGE ON SCHEMA app TO reader", "runs `GRANT USAGE ON SCHEMA app TO reader`"),
    ("GRANT EXECUTE ON FUNCTION touch() TO app", "runs `GRANT EXECUTE ON FUNCTION touch() TO app`"),
    ("ALTER SEQUENCE numbers SET SCHEMA app", "unknown"),
    ("ALTER SCHEMA app OWNER TO app", "runs `ALTER SCHEMA app OWNER TO app`"),
    ("COMMENT ON SCHEMA app IS 'x'", "runs `COMMENT ON SCHEMA app IS 'x'`"),
    ("COMMENT ON DATABASE app IS 'x'", "unknown"),
)
