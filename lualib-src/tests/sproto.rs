//! The parts of sproto.core that know nothing of Lua, on any bytes whatsoever.

#[path = "../src/sproto/schema.rs"]
mod schema;
#[path = "../src/sproto/wire.rs"]
mod wire;
#[path = "../src/sproto/zero.rs"]
mod zero;

use schema::{Container, Kind, Schema};
use wire::{Elements, Full, MAX_SIZE, Message, Output, Part, Step};
use zero::Fault;

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    /// Bytes, of which `dense` of 8 are not zero.
    fn bytes(&mut self, max: usize, dense: usize) -> Vec<u8> {
        let size = self.below(max + 1);
        let mut byte = || match self.below(8) < dense {
            true => 1 + self.below(255) as u8,
            false => 0,
        };
        (0..size).map(|_| byte()).collect()
    }
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut out = Output::default();
    zero::pack(bytes, &mut out).unwrap();
    out.bytes().to_vec()
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut out = Output::default();
    zero::unpack(bytes, &mut out).map(|()| out.bytes().to_vec())
}

#[test]
fn packed_bytes_come_back() {
    let mut random = Random(1);
    for round in 0..20_000 {
        let max = if round % 100 == 0 { 6000 } else { 40 };
        let dense = random.below(9);
        let mut bytes = random.bytes(max, dense);
        let packed = pack(&bytes);
        assert!(packed.len() <= zero::packed_bound(bytes.len()));
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        assert_eq!(unpack(&packed), Ok(bytes));
        for end in 0..packed.len().min(40) {
            // What is cut off is refused, or ends at a word.
            if let Ok(part) = unpack(&packed[..end]) {
                assert_eq!(part.len() % 8, 0);
            }
        }
    }
}

#[test]
fn runs_of_words() {
    assert_eq!(pack(&[]), []);
    assert_eq!(pack(&[0; 8]), [0]);
    assert_eq!(pack(&[7]), [1, 7]);
    assert_eq!(pack(&[1; 8]), [&[0xff, 0][..], &[1; 8]].concat());
    // Six bytes continue a run, five do not.
    let six = [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0, 0];
    assert_eq!(pack(&six), [&[0xff, 1][..], &six].concat());
    assert_eq!(pack(&six[..13])[..2], [0xff, 0]);
    assert_eq!(pack(&six[..14]), [&[0xff, 1][..], &six].concat());
    // A run has 256 words.
    let packed = pack(&[3; 257 * 8]);
    assert_eq!(packed.len(), 2 + 256 * 8 + 2 + 8);
    assert_eq!(packed[..2], [0xff, 255]);
}

#[test]
fn unpacking_is_limited_before_memory_is_taken() {
    let full = Fault::Full(Full::Size);
    assert_eq!(unpack(&vec![0; MAX_SIZE / 8 + 1]), Err(full));
    assert_eq!(unpack(&vec![0; MAX_SIZE / 8]).unwrap().len(), MAX_SIZE);
    let mut out = Output::default();
    assert_eq!(out.append(&vec![0; MAX_SIZE + 1]), Err(Full::Size));
    assert_eq!(out.append(&vec![0; MAX_SIZE]), Ok(()));
    assert_eq!(out.append(&[0]), Err(Full::Size));
    assert!(out.open(0).is_err() && out.begin().is_err());
    out.trim();
    assert_eq!(out.bytes(), b"");
    out.append(b"text").unwrap();
    out.clear();
    assert_eq!(out.bytes(), b"");
}

#[test]
fn fields_are_read_as_written() {
    let mut out = Output::default();
    let mut open = out.open(9).unwrap();
    out.integer(&mut open, 0, 0x7ffe).unwrap();
    out.integer(&mut open, 1, 0x7fff).unwrap();
    out.integer(&mut open, 5, -1).unwrap();
    out.integer(&mut open, 300, i64::MIN).unwrap();
    out.string(&mut open, 301, b"text").unwrap();
    let mut numbers = out.begin_numbers().unwrap();
    for value in [1, -2, 1 << 40, 3] {
        out.number(&mut numbers, value).unwrap();
    }
    out.end_field(numbers.length(), &mut open, 302);
    out.double(&mut open, 303, 1.5).unwrap();
    out.close(open);

    let mut message = Message::new(out.bytes()).unwrap();
    let mut seen = Vec::new();
    loop {
        match message.step() {
            Step::Field(tag, Part::Small(value)) => seen.push((tag, vec![value.into()])),
            Step::Field(301, Part::Data(bytes)) => assert_eq!(bytes, b"text"),
            Step::Field(302, Part::Data(bytes)) => {
                let values = wire::numbers(bytes).unwrap();
                seen.push((302, values.filter_map(wire::number).collect()));
            }
            Step::Field(tag, Part::Data(bytes)) => {
                seen.push((tag, vec![wire::number(bytes).unwrap()]));
            }
            Step::Skip => {}
            Step::End => break,
            Step::Cut => panic!("all data is there"),
        }
    }
    let expected = [
        (0, vec![0x7ffe]),
        (1, vec![0x7fff]),
        (5, vec![-1]),
        (300, vec![i64::MIN]),
        (302, vec![1, -2, 1 << 40, 3]),
        (303, vec![1.5_f64.to_bits() as i64]),
    ];
    assert_eq!(seen, expected);
    assert_eq!(message.rest(), b"");
}

/// A bundle of `.a { x 0 : integer(2)  y 3 : *a(x) }` and `p 1 { request a }`.
fn bundle() -> Vec<u8> {
    fn data(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat()
    }
    fn message(records: &[u16], content: &[&[u8]]) -> Vec<u8> {
        let mut bytes = (records.len() as u16).to_le_bytes().to_vec();
        bytes.extend(records.iter().flat_map(|record| record.to_le_bytes()));
        bytes.extend(content.iter().flat_map(|content| data(content)));
        bytes
    }
    let x = message(&[0, 2, 6, 2], &[b"x"]);
    let y = message(&[0, 1, 2, 8, 4, 2], &[b"y"]);
    let a = message(&[0, 0], &[b"a", &[data(&x), data(&y)].concat()]);
    let p = message(&[0, 4, 2], &[b"p"]);
    message(&[0, 0], &[&data(&a), &data(&p)])
}

#[test]
fn bundles() {
    let schema = Schema::parse(&bundle()).unwrap();
    let a = &schema.types[schema.find_type(c"a").unwrap()];
    assert_eq!(a.max_records, 3);
    assert_eq!(a.fields[0].name.as_c_str(), c"x");
    assert_eq!(a.fields[0].kind, Kind::Integer { scale: 100 });
    assert_eq!(a.fields[0].container, Container::One);
    assert_eq!(a.fields[1].kind, Kind::Struct(0));
    assert_eq!(a.fields[1].container, Container::Keyed(0));
    let found: Vec<_> = (0..5).map(|tag| a.find(tag)).collect();
    assert_eq!(found, [Some(0), None, None, Some(1), None]);
    let p = schema.protocol(1).unwrap();
    assert_eq!((p.request, p.response, p.confirm), (Some(0), None, false));
    assert_eq!(schema.find_protocol(c"p").unwrap().tag, 1);
    assert!(schema.protocol(2).is_none() && schema.find_type(c"b").is_none());
    assert!(Schema::parse(b"\0\0").unwrap().types.is_empty());
}

#[test]
fn damaged_bundles_and_messages() {
    let whole = bundle();
    for end in 0..whole.len() {
        assert!(Schema::parse(&whole[..end]).is_none(), "cut off at {end}");
    }
    let mut random = Random(2);
    let mut read = 0;
    for _ in 0..200_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] = random.below(256) as u8;
        }
        if let Some(schema) = Schema::parse(&bytes) {
            read += 1;
            let types = schema.types.len();
            for field in schema.types.iter().flat_map(|kind| &kind.fields) {
                assert!(!matches!(field.kind, Kind::Struct(index) if index >= types));
            }
        }
        let elements = Elements::new(&bytes);
        assert_eq!(
            elements.count_all().is_some(),
            elements.into_iter().all(|e| e.is_some())
        );
        let _ = unpack(&bytes);
        let _ = wire::numbers(&bytes);
    }
    assert!(read > 1000, "{read} are bundles");
}
