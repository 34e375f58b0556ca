-- Tables that grow with every order, partitioned by month, without copying a row: what there is becomes the first partition.
--
-- Run it as the tables' owner, in one transaction, and have a month added in time (docs/operations.md, "Very many
-- orders"). `python -m tests.bench --only growth` runs this very file. PostgreSQL 14 or newer.
--
-- The key is the id, a UUIDv7: it begins with its moment. What is unique in a table stays unique in each partition only:
-- PostgreSQL knows no uniqueness across partitions but that of columns which contain the partition key.

-- The first key that a moment has.
CREATE FUNCTION first_key_of(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Whether a table of histories or a month of it refuses changes, its rows are what happened.
CREATE PROCEDURE protect_as(history text, part text) LANGUAGE plpgsql AS $$
BEGIN
    IF to_regproc(history || '_is_append_only') IS NOT NULL THEN
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT '
                       'EXECUTE FUNCTION %I()', history || '_is_append_only', part, history || '_is_append_only');
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', part, history || '_is_append_only');
    END IF;
END $$;

-- One month more; it has every index, constraint and trigger that the past has.
CREATE PROCEDURE add_month(name text, month date) LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    part text := name || to_char(month, '_YYYY_MM');
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, name || '_past');
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   name, part, first_key_of(month), first_key_of(month + interval '1 month'));
    CALL protect_as(name, part);
END $$;

-- From this month on a table has partitions: the past, this month and the next. `key` is the column that holds the UUIDv7.
CREATE PROCEDURE partition_by_month(name text, key text, first date) LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    past text := name || '_past';
    identity_column text;
    last_number bigint;
BEGIN
    EXECUTE format('ALTER TABLE %I RENAME TO %I', name, past);
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING IDENTITY '
                   'INCLUDING STORAGE) PARTITION BY RANGE (%I)', name, past, key);
    FOR identity_column IN SELECT column_name FROM information_schema.columns
        WHERE table_schema = current_schema AND table_name = past AND is_identity = 'YES'
    LOOP
        EXECUTE format('SELECT coalesce(max(%I), 0) + 1 FROM %I', identity_column, past) INTO last_number;
        EXECUTE format('ALTER TABLE %I ALTER %I DROP IDENTITY', past, identity_column);
        EXECUTE format('ALTER TABLE %I ALTER %I RESTART WITH %s', name, identity_column, last_number);
    END LOOP;
    -- Reads the table once. A CHECK of the same words, added NOT VALID and validated beforehand, spares that.
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)',
                   name, past, first_key_of(first));
    CALL protect_as(name, name);
    CALL add_month(name, first);
    CALL add_month(name, (first + interval '1 month')::date);
END $$;

-- Deliveries refer to messages. The reference is made anew between the partitioned tables below.
ALTER TABLE integration_delivery DROP CONSTRAINT integration_delivery_message_id_a3efc3c5_fk_integrati;

CALL partition_by_month('ordering_history', 'id', :first);
CALL partition_by_month('integration_message', 'id', :first);
CALL partition_by_month('integration_delivery', 'message_id', :first);

ALTER TABLE integration_message ADD PRIMARY KEY (id);
ALTER TABLE integration_delivery ADD FOREIGN KEY (message_id) REFERENCES integration_message (id)
    DEFERRABLE INITIALLY DEFERRED;
