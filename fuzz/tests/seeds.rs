//! The corpora reach what lies behind the first check: their valid seeds are understood.

// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used)]

use std::io::Cursor;
use std::path::PathBuf;

use borsh::BorshDeserialize;
use remuda_engine::chat::ChatTemplate;
use remuda_fuzz::frames::FRAME_BYTES_MAX;
use remuda_gateway::json::parse;
use remuda_gateway::openai::Defaults;
use remuda_ledger::{Block, Genesis, Header, SignedTransaction, StateProof, Transaction};
use remuda_net::protocol::{index, job};
use remuda_types::job::{Embed, Generate, JobInput, Prompt, Resume, Sampling};
use remuda_types::{
    Announcement, Canonical, ChannelUse, FinalReceipt, Receipt, SecretKey, Voucher,
};

/// The seeds of a target that are whole values.
fn valid(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_valid =
        |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().starts_with("valid");
    let mut files: Vec<PathBuf> = files.filter(is_valid).collect();
    files.sort();
    assert!(!files.is_empty(), "{target}");
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn text(target: &str, index: usize) -> String {
    String::from_utf8(valid(target).swap_remove(index)).unwrap()
}

fn canonical<T: Canonical>(target: &str) {
    let all = valid(target);
    assert!(all.iter().all(|bytes| T::from_canonical(bytes).is_ok()), "{target}");
}

fn frames<T: BorshDeserialize>(target: &str) {
    let decodes = |frame: &Vec<u8>| remuda_net::frame::decode::<T>(frame, FRAME_BYTES_MAX).is_ok();
    assert!(valid(target).iter().all(decodes), "{target}");
}

fn worker<T: BorshDeserialize>(target: &str) {
    let decodes = |body: &Vec<u8>| remuda_engine::worker::frame::decode::<T>(body).is_ok();
    assert!(valid(target).iter().all(decodes), "{target}");
}

#[test]
fn records() {
    canonical::<FinalReceipt>("final_receipt");
    canonical::<Receipt>("receipt");
    canonical::<Voucher>("voucher");
    canonical::<ChannelUse>("channel_use");
    canonical::<Announcement>("announcement");
    canonical::<JobInput>("job_input");
    canonical::<Transaction>("transaction");
    canonical::<Genesis>("genesis");
    canonical::<Block>("block");
    canonical::<Header>("header");
    canonical::<StateProof>("state_proof");
    canonical::<remuda_gateway::ReceiptRecord>("gateway_record");
    let receipt = FinalReceipt::from_canonical(&valid("final_receipt")[0]).unwrap();
    assert_eq!(receipt.verify(), Ok(()));
}

/// Some of the transactions take effect on the ledger that the target keeps.
#[test]
fn transactions() {
    let mut ledger = remuda_ledger::Ledger::new(&remuda_fuzz::records::small_genesis()).unwrap();
    let all = valid("signed_transaction");
    let all = all.iter().map(|bytes| borsh::from_slice::<SignedTransaction>(bytes).unwrap());
    let all: Vec<_> = all.collect();
    assert!(all.iter().all(|transaction| ledger.check(transaction).is_ok()));
    let block = ledger.apply(1_700_000_000_500, &all[..2]).unwrap().block;
    assert!(block.outcomes[0].is_applied());
    let recorded = Block::from_canonical(&valid("block")[0]).unwrap();
    let mut ledger = remuda_ledger::Ledger::new(&remuda_fuzz::records::small_genesis()).unwrap();
    assert!(ledger.replay(&recorded).is_ok());
}

#[test]
fn messages() {
    frames::<job::ClientFrame>("job_client");
    frames::<job::ProviderFrame>("job_provider");
    frames::<index::Request>("index_request");
    frames::<index::Response>("index_response");
    frames::<remuda_chain::protocol::Request>("ledger_request");
    frames::<remuda_chain::protocol::Response>("ledger_response");
    frames::<remuda_models::protocol::Request>("model_request");
    frames::<remuda_models::protocol::Response>("model_response");
    worker::<remuda_engine::worker::frame::ToWorker>("worker_order");
    worker::<remuda_engine::worker::frame::FromWorker>("worker_report");
}

#[test]
fn texts_and_files() {
    assert!(remuda_net::address::parse(&text("node_address", 0)).is_ok());
    assert!(SecretKey::from_api_key(&text("api_key", 0)).is_ok());
    assert!(text("names", 0).parse::<remuda_types::PublicKey>().is_ok());
    let receipt: FinalReceipt = serde_json::from_str(&text("receipt_json", 0)).unwrap();
    assert_eq!(receipt.verify(), Ok(()));
    assert!(serde_json::from_str::<Genesis>(&text("genesis_json", 0)).is_ok());
    let reply = serde_json::from_str::<remuda_provider::control::Reply>(&text("control_line", 0));
    assert!(reply.is_ok());
    let model = valid("gguf_head").swap_remove(0);
    let head = remuda_models::gguf::parse(Cursor::new(&model), model.len() as u64).unwrap();
    assert_eq!((head.architecture.as_str(), head.context), ("llama", 2048));
    assert!(remuda_models::Manifest::parse(&text("model_manifest", 0)).is_ok());
}

#[test]
fn requests() {
    use remuda_gateway::openai::{chat, completions, embeddings, responses};
    let defaults = Defaults { max_output: 9 };
    for body in valid("openai_chat") {
        assert!(parse::<chat::ChatRequest>(&body).unwrap().translate(defaults).is_ok());
    }
    for body in valid("openai_completions") {
        let request = parse::<completions::CompletionRequest>(&body).unwrap();
        assert!(request.translate(defaults).is_ok());
    }
    for body in valid("openai_responses") {
        assert!(parse::<responses::ResponseRequest>(&body).unwrap().translate(defaults).is_ok());
    }
    for body in valid("openai_embeddings") {
        assert!(parse::<embeddings::EmbeddingRequest>(&body).unwrap().translate().is_ok());
    }
}

#[test]
fn engines() {
    let job = Generate {
        prompt: Prompt::Text("x".to_owned()),
        choices: 2,
        max_output: 100,
        sampling: Sampling::default(),
        stop: vec![],
        constraint: remuda_types::job::Constraint::None,
        logprobs: None,
    };
    let stream = valid("upstream_stream").swap_remove(0);
    let events = remuda_engine::upstream::generated(&job, &Resume::default(), &[&stream[2..]]);
    assert!(events.unwrap().len() > 4);
    let input = Embed { inputs: vec!["a".to_owned(), "b".to_owned()] };
    let answer = valid("upstream_embeddings").swap_remove(0);
    assert!(remuda_engine::upstream::embedded(&answer, &input).is_ok());
    for index in 0..valid("chat_template").len() {
        let template = text("chat_template", index);
        let source = template.split('\0').next().unwrap();
        assert!(ChatTemplate::new(source, "", "").is_ok(), "{source}");
    }
    for grammar in valid("constraint") {
        let compiled = remuda_fuzz::engine::compile(&grammar);
        assert!(compiled.is_some_and(|compiled| compiled.is_ok()), "{}", grammar.escape_ascii());
    }
}
