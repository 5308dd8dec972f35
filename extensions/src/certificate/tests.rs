//! Tests of the profile check.
