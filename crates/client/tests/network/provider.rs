//! A provider that follows a script.

mod session;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use remuda_chain::{LedgerClientExt as _, Signer, Validator};
use remuda_ledger::{Action, Channel};
use remuda_net::protocol::job::{self, ClientFrame, Open, ProviderFrame, RefusalCode};
use remuda_net::{Endpoint, Handler, Protocol, Stream, async_trait};
use remuda_types::job::JobKind;
use remuda_types::{
    Announcement, ChannelId, Credits, DeviceClass, FinalReceipt, Load, ModelOffer, NetworkId,
    NodeId, ProviderState, Receipt, SecretKey, Signed, Voucher,
};

use self::session::Session;
use super::{CONTEXT, MODEL, PRICE, endpoint, manifest};

/// What a provider does with one job.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Honest,
    /// Takes so long for each piece.
    Slow(Duration),
    /// Takes so long to understand the input, with heartbeats.
    SlowPrepare(Duration),
    Refuse(RefusalCode),
    /// Accepts nothing and says nothing.
    Silent,
    /// After so many pieces: breaks the connection.
    Die(u32),
    /// After so many pieces: falls silent.
    Stall(u32),
    /// After so many pieces: says that it failed.
    Fail(u32, RefusalCode),
    /// After so many pieces: bytes that are no frame.
    Garbage(u32),
    /// After so many pieces: ends the stream without a word.
    End(u32),
    /// Delivers everything, then signs a receipt that lies.
    Lie(fn(&mut Receipt)),
    /// Delivers everything, then shows a receipt that another key signed.
    Forge,
    /// Pieces that claim more units than they hold tokens.
    Pad,
    /// Claims an absurd number of input units.
    PadInput,
    /// Accepts with a voucher that the payer did not sign.
    ForgeVoucher,
    /// Shows the running receipt of one piece again with the next, and dies.
    ReplayAndDie(u32),
}

/// The piece that every honest provider delivers at a position.
pub fn piece(choice: u16, at: u32) -> (u32, String) {
    let token = (u32::from(choice) * 7_919 + at * 104_729) % 50_000;
    (token, format!("{choice}:{at}:{token} "))
}

#[derive(Default)]
struct Books {
    best: HashMap<ChannelId, Signed<Voucher>>,
    ended: HashMap<ChannelId, Credits>,
    opened: Vec<Open>,
    finals: Vec<FinalReceipt>,
    cancelled: u32,
    faults: Vec<String>,
}

struct Inner {
    key: SecretKey,
    endpoint: Endpoint,
    ledger: Arc<Validator>,
    network: NetworkId,
    script: Mutex<VecDeque<Act>>,
    books: Mutex<Books>,
}

#[derive(Clone)]
pub struct FakeProvider(Arc<Inner>);

impl FakeProvider {
    pub async fn start(ledger: Arc<Validator>, network: NetworkId, script: &[Act]) -> Self {
        let key = SecretKey::generate();
        let endpoint = endpoint(key.clone()).await;
        let script = Mutex::new(script.iter().copied().collect());
        let books = Mutex::default();
        let it = Self(Arc::new(Inner { key, endpoint, ledger, network, script, books }));
        let protocol = Protocol { alpn: job::ALPN, frame_bytes_max: job::FRAME_BYTES_MAX };
        it.0.endpoint.serve(vec![(protocol, Arc::new(it.clone()))]);
        it
    }

    pub fn key(&self) -> &SecretKey {
        &self.0.key
    }

    pub fn node(&self) -> NodeId {
        self.0.key.public()
    }

    pub fn announcement(&self, sequence: u64) -> Announcement {
        let offer = ModelOffer {
            name: MODEL.into(),
            manifest: manifest(),
            kinds: vec![JobKind::Generate, JobKind::Embed],
            context: CONTEXT,
            price: PRICE,
            numerics: Some("test".into()),
        };
        Announcement {
            address: self.0.endpoint.address(),
            sequence,
            announced_at: 0,
            models: vec![offer],
            load: Load { active: 0, queued: 0, slots: 8 },
            state: ProviderState::Ready,
            device: DeviceClass("test".into()),
            software: "test".into(),
        }
    }

    pub fn add(&self, act: Act) {
        self.0.script.lock().push_back(act);
    }

    pub fn opened(&self) -> Vec<Open> {
        self.0.books.lock().opened.clone()
    }

    pub fn finals(&self) -> Vec<FinalReceipt> {
        self.0.books.lock().finals.clone()
    }

    pub fn cancelled(&self) -> u32 {
        self.0.books.lock().cancelled
    }

    pub fn faults(&self) -> Vec<String> {
        self.0.books.lock().faults.clone()
    }

    /// The sum of the best vouchers of all channels.
    pub fn promised(&self) -> u64 {
        self.0.books.lock().best.values().map(|it| it.body.cumulative.0).sum()
    }

    /// Forgets all vouchers and earnings, as if its disk were gone.
    pub fn lose_books(&self) {
        let mut books = self.0.books.lock();
        books.best.clear();
        books.ended.clear();
    }

    pub async fn redeem(&self, signer: &Signer) {
        let vouchers: Vec<_> = self.0.books.lock().best.values().cloned().collect();
        if !vouchers.is_empty() {
            signer.send(Action::Redeem { vouchers }).await.unwrap();
        }
    }

    fn fault(&self, fault: impl Into<String>) {
        self.0.books.lock().faults.push(fault.into());
    }

    /// Takes in a voucher; anything that a client must not send is noted.
    fn take(&self, channel: &Channel, voucher: Signed<Voucher>) {
        let body = &voucher.body;
        if body.channel != channel.id || voucher.verify_by(&channel.payer).is_err() {
            return self.fault("a forged voucher");
        }
        if body.cumulative > channel.deposit {
            return self.fault("a voucher beyond the deposit");
        }
        let mut books = self.0.books.lock();
        match books.best.get(&channel.id) {
            Some(best) if best.body.sequence == body.sequence && *best != voucher => {
                books.faults.push("two vouchers with one number".into());
            }
            Some(best) if best.body.cumulative > body.cumulative => {}
            _ => drop(books.best.insert(channel.id, voucher)),
        }
    }

    async fn channel(&self, id: ChannelId) -> Option<Channel> {
        let channel = self.0.ledger.channel(id).await.unwrap();
        channel.filter(|it| it.provider == self.node())
    }

    async fn settle(&self, mut stream: Stream, voucher: Signed<Voucher>) {
        let Some(channel) = self.channel(voucher.body.channel).await else { return };
        self.take(&channel, voucher);
        let best = self.0.books.lock().best.get(&channel.id).cloned();
        if let Some(best) = best {
            let _ = stream.writer.send(&ProviderFrame::Settled(best)).await;
            stream.writer.finish();
        }
    }

    async fn serve(&self, stream: Stream, open: Open) {
        self.0.books.lock().opened.push(open.clone());
        let act = self.0.script.lock().pop_front().unwrap_or(Act::Honest);
        let channel = self.channel(open.channel).await;
        let mut session = Session::new(self.clone(), stream, open, act, channel);
        let ended = session.run().await;
        session.close(ended).await;
    }
}

#[async_trait]
impl Handler for FakeProvider {
    async fn handle(&self, mut stream: Stream) {
        match stream.reader.receive().await {
            Ok(Some(ClientFrame::Open(open))) => self.serve(stream, *open).await,
            Ok(Some(ClientFrame::Settle(voucher))) => self.settle(stream, voucher).await,
            other => self.fault(format!("a stream began with {other:?}")),
        }
    }
}
