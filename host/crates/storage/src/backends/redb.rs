//! The journal and directory in one redb file.
