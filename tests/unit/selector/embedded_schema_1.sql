BEGIN TRANSACTION;
CREATE TABLE corpus (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    version INTEGER NOT NULL,          -- microseconds since the epoch, or one more than before: no state comes back
    tombstone_floor INTEGER NOT NULL,  -- removals up to this version are forgotten
    model_id TEXT,
    dimension INTEGER
) STRICT;
INSERT INTO "corpus" VALUES(1,1735689600000001,0,'model',2);
CREATE TABLE documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again, so newer than a snapshot means greater
    document_id TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    content_type TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    size INTEGER NOT NULL,
    metadata TEXT NOT NULL,            -- JSON
    created_at INTEGER,                -- microseconds since the epoch
    indexed_at INTEGER NOT NULL,
    passage_count INTEGER NOT NULL
) STRICT;
INSERT INTO "documents" VALUES(1,'a','docs','docs','Title of a','text/plain','h1',10,'{"language": "en", "level": "1"}',1714564800000000,1735689600000000,2);
INSERT INTO "documents" VALUES(2,'b','docs','docs','Title of b','text/plain','h1',10,'{}',NULL,1735689600000000,1);
INSERT INTO "documents" VALUES(3,'empty','docs','docs','Title of empty','text/plain','h1',10,'{"language": "de"}',NULL,1735689600000000,0);
CREATE TABLE passages (
    key INTEGER PRIMARY KEY,           -- document number * 2 ** 20 + ordinal
    title_path TEXT NOT NULL,          -- JSON
    text TEXT NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    prepared BLOB NOT NULL
) STRICT;
INSERT INTO "passages" VALUES(1048576,'["Title of a", "Section"]','The red pump has 3 seals',0,24,X'00FF');
INSERT INTO "passages" VALUES(1048577,'["Title of a", "Section"]','A blue valve, not a pump',10,34,X'00FF');
INSERT INTO "passages" VALUES(2097152,'["Title of b", "Section"]','Élan 😀 of pumps',0,15,X'00FF');
CREATE TABLE signals (
    number INTEGER PRIMARY KEY,
    vectors BLOB NOT NULL,
    lengths BLOB NOT NULL,
    fingerprints BLOB NOT NULL,
    term_counts BLOB NOT NULL,
    terms BLOB NOT NULL,
    frequencies BLOB NOT NULL,
    facets BLOB NOT NULL
) STRICT;
INSERT INTO "signals" VALUES(1,X'0000803F000000000000803F00000000',X'0600000005000000',X'CA47D651F9E3A61C6A7D60254EF2635C',X'0600000005000000',X'DBCA81B2C0313738AC4E7A71FC1BF3BC0DE917AF2F0A48A3DE2404A0F0D1F63C9E251905A6D98E01C8E99AE36BFF42C0DBCA81B2C0313738AC4E7A71FC1BF3BC927DCF91FCF287DBCC53B532DDFDD9C4DE2404A0F0D1F63C',X'01000100010001000100010001000100010001000100',X'F9F3120606946601CD591CC8225C13BF');
INSERT INTO "signals" VALUES(2,X'000000000000803F',X'05000000',X'649CA61E388193B1',X'05000000',X'DBCA81B2C03137388472C2E34D854F75AC4E7A71FC1BF3BCF8B76C8E69457396DE2404A0F0D1F63C',X'01000100010001000100',X'');
INSERT INTO "signals" VALUES(3,X'',X'',X'',X'',X'',X'',X'458B5F98FADB8CD1');
CREATE TABLE tombstones (version INTEGER, number INTEGER, PRIMARY KEY (version, number)) STRICT, WITHOUT ROWID;
INSERT INTO "tombstones" VALUES(1735689600000001,4);
CREATE INDEX documents_by_source ON documents (source, document_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('documents',4);
COMMIT;
PRAGMA user_version = 1;
