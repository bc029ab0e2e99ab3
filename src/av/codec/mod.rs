//! Codecs, one file for each library, the only file that names it. Codecs are created, used and dropped on one thread.
