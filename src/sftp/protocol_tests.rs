//! Tests of the conversation, with a client that is a script of bytes.
