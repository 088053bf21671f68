//! Texts, files and streams.

use remuda_fuzz::records::{actor, small_genesis};
use remuda_provider::ProviderStatus;
use remuda_provider::control::{Command, Reply};
use remuda_types::{DeviceClass, Load, ProviderState};

use crate::Seeds;
use crate::values::{address, final_receipt};

const MANIFEST: &str = include_str!("../../../models/smollm2-135m-instruct.toml");
const TEMPLATE: &str = include_str!("../../../crates/engine/tests/data/smollm2.jinja");

fn names() -> [Seeds; 3] {
    let key = actor();
    let whole = remuda_net::address::format(&address());
    let bare = key.public().to_string();
    let text = key.to_api_key();
    let prefix = bech32::Hrp::parse("sk-remuda-").expect("a prefix");
    // The same seed under the older checksum: no key of ours.
    let older = bech32::encode::<bech32::Bech32>(prefix, key.seed()).expect("it fits");
    let link_local = format!("{bare}@[fe80::1%3]:80?relay=http://relay/?relay=x");
    [
        Seeds::texts("node_address", &[&whole, &bare, &link_local]),
        Seeds::texts("api_key", &[&text, &older, &text.to_uppercase()]),
        Seeds::texts("names", &[&bare, &bare.to_uppercase(), &"0".repeat(64)]),
    ]
}

fn documents() -> [Seeds; 3] {
    let pretty = |value| serde_json::to_string_pretty(value).expect("it has a JSON form");
    let status = ProviderStatus {
        node: actor().public(),
        name: "p".to_owned(),
        address: address(),
        state: ProviderState::Paused,
        device: DeviceClass("cpu".to_owned()),
        models: vec![],
        load: Load::default(),
        jobs: Default::default(),
        earnings: Default::default(),
        connections: Default::default(),
        registered: true,
        indexers: (1, 2),
        uptime_ms: 5,
    };
    let reply = Reply::Status(Box::new(status));
    let reply = serde_json::to_string(&reply).expect("it has a JSON form");
    let error = r#"{"answer":"error","code":"c","message":"m"}"#;
    let command = serde_json::to_string(&Command::Drain).expect("it has a JSON form");
    let receipt = serde_json::to_string_pretty(&final_receipt()).expect("it has a JSON form");
    [
        Seeds::texts("receipt_json", &[&receipt]),
        Seeds::texts("genesis_json", &[&pretty(&small_genesis())]),
        Seeds::texts("control_line", &[&reply, &command, error]),
    ]
}

/// A small head with every shape of value.
fn gguf() -> Vec<u8> {
    const U32: u32 = 4;
    const TEXT: u32 = 8;
    const ARRAY: u32 = 9;
    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }
    let entry =
        |key: &str, kind: u32, value: &[u8]| [&text(key)[..], &kind.to_le_bytes(), value].concat();
    let list = |kind: u32, count: u64, items: &[u8]| {
        [&kind.to_le_bytes()[..], &count.to_le_bytes(), items].concat()
    };
    let nested = list(ARRAY, 1, &list(U32, 2, &[0; 8]));
    let entries = [
        entry("llama.context_length", U32, &2048_u32.to_le_bytes()),
        entry("general.architecture", TEXT, &text("llama")),
        entry("general.license", TEXT, &text("apache-2.0")),
        entry("general.file_type", U32, &7_u32.to_le_bytes()),
        entry("tokens", ARRAY, &list(TEXT, 2, &[text("a"), text("bc")].concat())),
        entry("nested", ARRAY, &nested),
        entry("tokenizer.chat_template", TEXT, &text("{{ x }}")),
    ];
    let count = entries.len() as u64;
    let head = [&b"GGUF"[..], &3_u32.to_le_bytes(), &[0; 8], &count.to_le_bytes()].concat();
    [head, entries.concat()].concat()
}

fn requests() -> [Seeds; 4] {
    let chat = r#"{"model":"m","messages":[{"role":"system","content":"be brief"},
        {"role":"user","content":[{"type":"text","text":"hi"}]},
        {"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function",
        "function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c",
        "content":"1"}],"tools":[{"type":"function","function":{"name":"f",
        "parameters":{"type":"object"}}}],"tool_choice":"auto","n":2,"temperature":0.5,
        "logit_bias":{"5":-100},"stop":["a","b"],"stream":true,"seed":-1,
        "stream_options":{"include_usage":true},"logprobs":true,"top_logprobs":3}"#;
    let schema = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],
        "response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"a":1}}}}"#;
    let completion = r#"{"model":"m","prompt":"once","max_tokens":5,"logprobs":2,"top_p":0.9}"#;
    let tokens = r#"{"model":"m","prompt":[1,2,3],"stop":"x","presence_penalty":-2}"#;
    let response = r#"{"model":"m","instructions":"be brief","input":[{"role":"user",
        "content":[{"type":"input_text","text":"hi"}]},{"type":"function_call","call_id":"c",
        "name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c",
        "output":"1"}],"max_output_tokens":9,"text":{"format":{"type":"text"}}}"#;
    let embedding = r#"{"model":"m","input":["a","b"],"encoding_format":"base64"}"#;
    [
        Seeds::texts("openai_chat", &[chat, schema]),
        Seeds::texts("openai_completions", &[completion, tokens]),
        Seeds::texts("openai_responses", &[response, r#"{"model":"m","input":"hi"}"#]),
        Seeds::texts("openai_embeddings", &[embedding, r#"{"model":"m","input":"a"}"#]),
    ]
}

fn streams() -> [Seeds; 4] {
    // The first two bytes say where the rest is cut.
    let events = "\x09\x07: hi\n\ndata: {\"a\":1}\r\n\r\nevent: x\rdata:two\rdata: lines\r\r\ndata";
    let generation = "\x21\x40\
        data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hi\"}},\
        {\"index\":1,\"delta\":{\"content\":\"\\u00e9\"}}]}\n\n\
        data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":\
        {\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"},\
        {\"index\":1,\"text\":\"x\",\"finish_reason\":\"length\",\"logprobs\":{\"content\":\
        [{\"token\":\"x\",\"logprob\":-0.5,\"bytes\":[120],\"top_logprobs\":[]}]}}],\
        \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":9}}\n\ndata: [DONE]\n\n";
    let broken = "\x05\x05data: {\"error\":{\"message\":\"no\",\"code\":429}}\n\n";
    let embeddings = r#"{"data":[{"index":1,"embedding":[0.5,1]},{"index":0,"embedding":[-1e3]}],
        "usage":{"prompt_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}}"#;
    let call = "\x01END\0\x05\x09Hé <tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n\
        </tool_call>\nmore EN END rest";
    [
        Seeds::texts("server_events", &[events]),
        Seeds::texts("upstream_stream", &[generation, broken]),
        Seeds::texts("upstream_embeddings", &[embeddings]),
        Seeds::texts(
            "text_assembler",
            &[call, "\x00aab\0\x02\x02aaab", "\x01\0\x01\x01<tool_call>"],
        ),
    ]
}

fn templates() -> Seeds {
    let tools = "{%- for tool in tools %}{{ tool | tojson(indent=2) | indent(3) }}{% endfor %}\
        <tool_call>{% for m in messages %}{{ m.content.strip().upper()[:3] }}{% endfor %}\0 hi ";
    let loops = "{% for i in range(9) %}{% set x = 'a' ~ loop.index %}{{ x * 3 }}{% endfor %}\
        {{ messages | length }}{% for k in bos_token %}{{ loop.cycle(1, k) }}{% endfor %}";
    let huge = "{{ messages | batch(9000000000000000000) }}{{ 'a' * 9000000000000000000 }}";
    let pads = "{{ '%99999999999d' | format(1) }}{{ '{:>99999999999}'.format(1) }}";
    let raises = "{% if true %}{{ raise_exception('no: ' ~ bos_token) }}{% endif %}";
    let macros = "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}";
    Seeds::texts("chat_template", &[TEMPLATE, tools, loops, huge, pads, raises, macros])
}

fn grammars() -> Seeds {
    // The first byte says which kind of grammar follows.
    let object = "\x00{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\
        \"minimum\":1},\"b\":{\"enum\":[\"x\",null]}},\"required\":[\"a\"],\
        \"additionalProperties\":false}";
    let recursive = "\x00{\"$defs\":{\"n\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/n\"},\
        \"maxItems\":3}},\"$ref\":\"#/$defs/n\"}";
    let patterns = "\x00{\"type\":\"string\",\"pattern\":\"^(a|b){2,5}$\"}";
    let lark = "\x01start: word (\" \" word)*\nword: /[a-z]+/ | \"X\"{2,3}\n%ignore / /";
    let regex = "\x02(ab|c[^d-f])*\\d{2,3}(x{50}){50}";
    let automatic = "\x03{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}";
    let required = "\x04{\"anyOf\":[{\"type\":\"number\"},{\"type\":\"object\"}]}";
    let all = [object, recursive, patterns, lark, regex, automatic, required];
    Seeds::texts("constraint", &all)
}

/// The seeds of all targets that read texts and files.
pub(crate) fn seeds() -> Vec<Seeds> {
    let files = [
        Seeds::new("gguf_head", vec![gguf()]),
        Seeds::texts("model_manifest", &[MANIFEST]),
        templates(),
        grammars(),
    ];
    let texts = names().into_iter().chain(documents()).chain(requests());
    texts.chain(streams()).chain(files).collect()
}
