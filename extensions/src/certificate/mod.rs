//! The typed view of a certificate and the profile check of certificates.md §2, on top of path validation by the TLS library.
