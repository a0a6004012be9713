//! skynet.json's text, without Lua.

#[path = "../src/json/format.rs"]
mod format;

use format::{MAX_DEPTH, Output, Refusal, parse};
use serde_json::json;

/// What one step writes.
fn written(step: impl FnOnce(&mut Output) -> Result<(), Refusal>) -> Result<String, Refusal> {
    let mut out = Output::default();
    step(&mut out)?;
    Ok(String::from_utf8(out.bytes().to_vec()).unwrap())
}

#[test]
fn numbers() {
    assert_eq!(parse(b"1").unwrap(), json!(1));
    assert_eq!(parse(b"-9223372036854775808").unwrap(), json!(i64::MIN));
    assert_eq!(parse(b"1.0").unwrap(), json!(1.0));
    // No Lua integer: a float, though not all of its digits.
    let large = parse(b"18446744073709551616").unwrap();
    assert_eq!(
        (large.as_i64(), large.as_f64()),
        (None, Some(2f64.powi(64)))
    );
    assert!(parse(b"1e400").unwrap_err().contains("out of range"));
    assert!(parse(b"01").is_err());

    assert_eq!(
        written(|out| out.integer(i64::MIN)).unwrap(),
        i64::MIN.to_string()
    );
    assert_eq!(written(|out| out.real(1.0)).unwrap(), "1.0");
    assert_eq!(written(|out| out.real(0.1)).unwrap(), "0.1");
    for number in [f64::NAN, f64::INFINITY] {
        assert_eq!(written(|out| out.real(number)), Err(Refusal::Number));
    }
}

#[test]
fn strings() {
    assert_eq!(
        parse(br#""\u00e9\n\ud83d\ude00""#).unwrap(),
        json!("\u{e9}\n\u{1f600}")
    );
    for wrong in [&b"\"\xff\""[..], br#""\ud800""#, b"\"\n\"", b"\"open"] {
        assert!(parse(wrong).is_err(), "{wrong:?}");
    }
    let text = "\"\\\u{1}\u{7f}\u{e9}\0";
    let quoted = written(|out| out.string(text.as_bytes())).unwrap();
    assert_eq!(quoted, "\"\\\"\\\\\\u0001\u{7f}\u{e9}\\u0000\"");
    assert_eq!(parse(quoted.as_bytes()).unwrap(), json!(text));
    assert_eq!(written(|out| out.string(b"\xff")), Err(Refusal::Text));
}

#[test]
fn list() {
    let list = written(|out| {
        out.raw(b"[")?;
        out.string(b"a")?;
        out.raw(b",")?;
        out.integer(-1)?;
        out.raw(b"]")
    });
    assert_eq!(list.unwrap(), "[\"a\",-1]");
}

#[test]
fn depth() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    let error = parse(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err();
    assert!(error.contains("recursion limit"), "{error}");
    // It is not read to its end first.
    assert!(parse("[".repeat(1 << 20).as_bytes()).is_err());
}

#[test]
fn one_value() {
    assert_eq!(parse(b" {\"a\":[],\"a\":{}} ").unwrap(), json!({"a": {}}));
    for wrong in [&b""[..], b"1 2", b"{}x", b"{\"a\"}", b"[1,]", b"nul"] {
        let error = parse(wrong).unwrap_err();
        assert!(
            error.starts_with("json: ") && error.contains("line"),
            "{error}"
        );
    }
}
