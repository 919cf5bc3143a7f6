-- How a custom provider is asked and read: the text that control-plane/domain/src/mapping/kept.rs writes. Null for
-- every other kind. Old code can run against it: it never reads the column, and knows no provider of that kind.

ALTER TABLE provider ADD COLUMN mapping text;
