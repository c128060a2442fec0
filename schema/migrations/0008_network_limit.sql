-- A poll may have a limit of its own for the new voters of one client network.

ALTER TABLE polls
    ADD COLUMN network_limit text CHECK (network_limit = 'off' OR network_limit ~ '^[1-9][0-9]{0,6}/[1-9][0-9]{0,6}$');
COMMENT ON COLUMN polls.network_limit IS 'New voters of one address at once, and in each minute after that, or off; null: as the producers are set up.';
