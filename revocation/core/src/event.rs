//! How this crate's events become records: one macro, so that no kind forgets its name, stream or canonical form.

/// Gives an event struct its stable kind, its stream and its canonical body. The struct declares its fields in
/// alphabetical order; `events_are_canonical` holds each to it.
macro_rules! record {
    ($type:ty, $kind:literal, $stream:expr) => {
        record!($type, $kind, $stream, gating: false);
    };
    ($type:ty, $kind:literal, $stream:expr, gating: $gating:literal) => {
        impl $type {
            /// The stable name of the kind.
            pub const KIND: &'static str = $kind;
        }

        impl extensions::Record for $type {
            fn stream(&self) -> extensions::StreamId {
                let stream: fn(&$type) -> extensions::StreamId = $stream;
                stream(self)
            }
            fn kind(&self) -> &'static str {
                Self::KIND
            }
            fn write_body(&self, out: &mut Vec<u8>) {
                extensions::canonical::write_presorted(self, out);
            }
            fn gating(&self) -> bool {
                $gating
            }
        }
    };
}

/// An enum over event structs that is itself a record and decodes by kind.
macro_rules! record_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident($type:ty)),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $($(#[$vdoc])* $variant($type),)+
        }

        impl $name {
            /// The stable names of every kind of this family.
            pub const KINDS: &'static [&'static str] = &[$(<$type>::KIND),+];

            /// Reads the body of an entry of `kind`; `None` when the kind is of another family.
            ///
            /// # Errors
            /// When the body is not the canonical form of that kind.
            pub fn decode(kind: &str, body: &[u8]) -> Option<Result<Self, extensions::canonical::CanonicalError>> {
                match kind {
                    $(<$type>::KIND => Some(extensions::canonical::from_slice::<$type>(body).map(Self::$variant)),)+
                    _ => None,
                }
            }
        }

        impl extensions::Record for $name {
            fn stream(&self) -> extensions::StreamId {
                match self { $(Self::$variant(event) => event.stream(),)+ }
            }
            fn kind(&self) -> &'static str {
                match self { $(Self::$variant(event) => event.kind(),)+ }
            }
            fn write_body(&self, out: &mut Vec<u8>) {
                match self { $(Self::$variant(event) => event.write_body(out),)+ }
            }
            fn gating(&self) -> bool {
                match self { $(Self::$variant(event) => event.gating(),)+ }
            }
        }

        $(impl From<$type> for $name {
            fn from(event: $type) -> Self {
                Self::$variant(event)
            }
        })+
    };
}

pub(crate) use {record, record_enum};
