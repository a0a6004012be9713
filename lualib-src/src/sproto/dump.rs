//! A schema as text.
#![forbid(unsafe_code)]

use std::fmt::{self, Display, Formatter};

use super::schema::{Container, Field, Kind, Schema};

impl Display for Schema {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(f, "=== {} types ===", self.types.len())?;
        for kind in &self.types {
            writeln!(f, "{}", kind.name.to_string_lossy())?;
            for field in &kind.fields {
                self.field(f, field)?;
            }
        }
        writeln!(f, "=== {} protocol ===", self.protocols.len())?;
        for protocol in &self.protocols {
            let name = protocol.name.to_string_lossy();
            let request = protocol.request.map_or("(null)".into(), |t| self.name(t));
            write!(f, "\t{name} ({}) request:{request}", protocol.tag)?;
            match protocol.response {
                Some(response) => writeln!(f, " response:{}", self.name(response))?,
                None if protocol.confirm => writeln!(f, " response nil")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

impl Schema {
    fn name(&self, index: usize) -> String {
        let kind = self.types.get(index);
        kind.map_or(String::new(), |t| t.name.to_string_lossy().into_owned())
    }

    fn field(&self, f: &mut Formatter, field: &Field) -> fmt::Result {
        let kind = match field.kind {
            Kind::Integer { scale: 0 } => "integer".to_owned(),
            Kind::Integer { scale } if scale > 0 => format!("decimal({scale})"),
            Kind::Integer { .. } => "decimal".to_owned(),
            Kind::Boolean => "boolean".to_owned(),
            Kind::String { binary: false } => "string".to_owned(),
            Kind::String { binary: true } => "binary".to_owned(),
            Kind::Double => "double".to_owned(),
            Kind::Struct(index) => self.name(index),
        };
        let array = if field.container == Container::One {
            ""
        } else {
            "*"
        };
        let name = field.name.to_string_lossy();
        write!(f, "\t{name} ({}) {array}{kind}", field.tag)?;
        match (field.container, field.kind) {
            (Container::Keyed(key), _) => write!(f, " key[{key}]")?,
            (Container::Map(key), Kind::Struct(index)) => {
                write!(f, " key[{key}]")?;
                if let Some(value) = self.types.get(index).and_then(|t| t.fields.get(1)) {
                    write!(f, " value[{}]", value.tag)?;
                }
            }
            _ => {}
        }
        writeln!(f)
    }
}
