//! The exported functions, one file for each header: convert, call one safe
//! function, convert back.
