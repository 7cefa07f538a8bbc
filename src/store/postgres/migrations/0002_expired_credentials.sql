-- Tokens that came from a key are forgotten with each new one: those alone are looked at that have expired.
CREATE INDEX credentials_expiring ON credentials (expires) WHERE issued_by IS NOT NULL;
