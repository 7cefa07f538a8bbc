-- A caller whose account nobody tells is looked for in all of them.
CREATE INDEX numbers_by_number ON numbers (number);
