//! Fuzz targets: one function for every decoder that is given bytes by strangers.
//!
//! A target takes any bytes and panics when a property is broken: decoding must not panic,
//! whatever it accepts must have that one encoding, and what is made of it stays bounded. The
//! targets run on their corpora in every test run (`tests/corpora.rs`), and under libFuzzer
//! for as long as wanted (`fuzz_targets/`, see `README.md`). This crate decodes nothing itself.
//!
//! ```
//! let (name, target) = remuda_fuzz::TARGETS[0];
//! assert_eq!(name, "final_receipt");
//! target(b"no receipt at all");
//! ```

pub mod engine;
pub mod files;
pub mod frames;
pub mod mutate;
pub mod openai;
pub mod records;
pub mod texts;

/// Hands all targets, by the module that holds them, to the macro `$with`.
#[macro_export]
macro_rules! each_target {
    ($with:ident) => {
        $with! {
            records {
                final_receipt receipt voucher channel_use announcement job_input transaction
                signed_transaction genesis block header state_proof gateway_record
            }
            frames {
                job_client job_provider index_request index_response ledger_request
                ledger_response model_request model_response worker_order worker_report
            }
            texts {
                node_address api_key names receipt_json genesis_json control_line
            }
            files {
                gguf_head model_manifest
            }
            openai {
                openai_chat openai_completions openai_responses openai_embeddings
            }
            engine {
                server_events upstream_stream upstream_embeddings text_assembler
                chat_template constraint
            }
        }
    };
}

/// A target: panics when the bytes break one of its properties.
pub type Target = fn(&[u8]);

macro_rules! table {
    ($($module:ident { $($name:ident)* })*) => {
        /// All targets, by name.
        pub const TARGETS: &[(&str, Target)] =
            &[$($((stringify!($name), $module::$name),)*)*];
    };
}

each_target!(table);

/// Runs the target called `name`.
///
/// # Panics
/// When there is no such target, or when it finds a broken property.
pub fn run(name: &str, bytes: &[u8]) {
    match TARGETS.iter().find(|(known, _)| *known == name) {
        Some((_, target)) => target(bytes),
        None => panic!("there is no target {name}"),
    }
}

/// The bytes cut in three at places that the first two bytes name.
fn cut(bytes: &[u8]) -> [&[u8]; 3] {
    let [first, second, rest @ ..] = bytes else { return [bytes, &[], &[]] };
    let one = usize::from(*first) % (rest.len() + 1);
    let two = one + usize::from(*second) % (rest.len() - one + 1);
    [&rest[..one], &rest[one..two], &rest[two..]]
}
