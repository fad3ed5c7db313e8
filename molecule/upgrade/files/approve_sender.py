"""Write an approved sender as the gateway does: table of 2026.8.1 and later."""

import sqlite3
import time

db = sqlite3.connect("/home/openclaw/.openclaw/state/openclaw.sqlite", timeout=15)
db.execute("PRAGMA wal_autocheckpoint=0")
row = ("telegram", "default", "4242", 0, int(time.time() * 1000))
db.execute("INSERT OR REPLACE INTO channel_pairing_allow_entries VALUES (?, ?, ?, ?, ?)", row)
db.commit()
