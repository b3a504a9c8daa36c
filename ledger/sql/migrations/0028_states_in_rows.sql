-- A state of more than 2 kB was cut into chunks in a table beside this one, with an index of its own: an
-- attempt to compress what is encrypted, three writes in place of one, and a look-up in each read. Up to
-- 8 kB it now stays in its row; larger ones go aside as before. Rows that are stored stay as they are.
ALTER TABLE ledger.events SET (toast_tuple_target = 8160);
