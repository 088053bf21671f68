//! The sampler as a whole: statistics, replay, golden choices.

use proptest::prelude::*;
use remuda_types::Hash;

use super::*;

fn sampling(temperature: f64) -> Sampling {
    Sampling { temperature: millionths(temperature), ..Sampling::default() }
}

fn millionths(number: f64) -> Millionths {
    Millionths::from_f64(number).unwrap()
}

/// Draws at positions `0..count` of one choice, each as if the history were zeros.
fn draws(params: &Sampling, seed: i64, choice: u16, logits: &[f32], count: usize) -> Vec<u32> {
    let output = vec![0; count];
    let mut sampler = Sampler::new(params, &Seed::from_caller(seed), choice);
    (0..count)
        .map(|position| {
            let history = History { prompt: &[], output: &output[..position] };
            sampler.choose(logits, history, None).unwrap()
        })
        .collect()
}

/// Pearson's statistic of `draws` against the probabilities of each token.
fn chi_square(draws: &[u32], probabilities: &[f64]) -> f64 {
    let count = draws.len() as f64;
    probabilities
        .iter()
        .enumerate()
        .map(|(token, probability)| {
            let seen = draws.iter().filter(|&&drawn| drawn as usize == token).count() as f64;
            (seen - count * probability).powi(2) / (count * probability)
        })
        .sum()
}

const PROBABILITIES: [f64; 6] = [0.4, 0.25, 0.2, 0.1, 0.04, 0.01];

fn logits_of(probabilities: &[f64], temperature: f64) -> Vec<f32> {
    probabilities.iter().map(|p| (p.ln() * temperature + 3.0) as f32).collect()
}

/// With five degrees of freedom, 20.5 is exceeded once in a thousand seeds; ours is fixed.
#[test]
fn draws_follow_the_softmax() {
    for temperature in [0.5, 1.0, 2.0] {
        let logits = logits_of(&PROBABILITIES, temperature);
        let draws = draws(&sampling(temperature), 11, 0, &logits, 20_000);
        let statistic = chi_square(&draws, &PROBABILITIES);
        assert!(statistic < 20.5, "at {temperature}: {statistic}");
    }
}

/// The statistic itself must be able to fail: draws at another temperature do not fit.
#[test]
fn draws_at_another_temperature_do_not_fit() {
    let logits = logits_of(&PROBABILITIES, 1.0);
    let draws = draws(&sampling(0.8), 11, 0, &logits, 20_000);
    assert!(chi_square(&draws, &PROBABILITIES) > 200.0);
}

/// Pairs of draws at neighbouring positions, and of neighbouring choices at one position,
/// follow the product distribution: 99.9 % of seeds stay below 66.6 with 35 degrees of freedom.
#[test]
fn draws_are_independent() {
    let logits = logits_of(&PROBABILITIES, 1.0);
    let params = sampling(1.0);
    let first = draws(&params, 5, 0, &logits, 40_000);
    let second = draws(&params, 5, 1, &logits, 40_000);
    let other_seed = draws(&params, 6, 0, &logits, 40_000);
    let product: Vec<f64> =
        PROBABILITIES.iter().flat_map(|a| PROBABILITIES.map(|b| a * b)).collect();
    let pair = |(a, b): (&u32, &u32)| a * 6 + b;
    let positions: Vec<u32> = first.chunks_exact(2).map(|ab| pair((&ab[0], &ab[1]))).collect();
    let choices: Vec<u32> = first.iter().zip(&second).map(pair).collect();
    let seeds: Vec<u32> = first.iter().zip(&other_seed).map(pair).collect();
    for pairs in [positions, choices, seeds] {
        let statistic = chi_square(&pairs, &product);
        assert!(statistic < 66.6, "{statistic}");
    }
}

#[test]
fn temperature_zero_takes_the_first_of_the_likeliest() {
    let mut sampler = Sampler::new(&sampling(0.0), &Seed::from_caller(1), 0);
    let logits = [1.0, f32::NAN, 3.0, 3.0];
    let history = History::default();
    assert_eq!(sampler.choose(&logits, history, None), Ok(2));
    let replay = sampler.replay(&logits, history, None, 0).unwrap();
    assert_eq!(replay, Replay { token: 2, margin: 2.0, cut: 0.0 });
}

#[test]
fn nothing_possible_is_an_error() {
    let history = History::default();
    for temperature in [0.0, 1.0] {
        let mut sampler = Sampler::new(&sampling(temperature), &Seed::from_caller(1), 0);
        for logits in [&[][..], &[f32::NAN, f32::NEG_INFINITY]] {
            let chosen = sampler.choose(logits, history, None);
            assert_eq!(chosen, Err(SampleError::NothingPossible));
        }
        let mask = TokenMask::none(2);
        let chosen = sampler.choose(&[1.0, 2.0], history, Some(&mask));
        assert_eq!(chosen, Err(SampleError::NothingPossible));
        assert!(matches!(
            sampler.replay(&[1.0], history, None, 1),
            Err(SampleError::UnknownToken { token: 1, vocabulary: 1 })
        ));
    }
}

#[test]
fn a_truncated_claim_shows_its_distance_to_the_cut() {
    let params = Sampling { top_k: 2, ..sampling(0.5) };
    let mut sampler = Sampler::new(&params, &Seed::from_caller(1), 0);
    let logits = [5.0, 4.0, 3.5, -1.0];
    let history = History::default();
    let near = sampler.replay(&logits, history, None, 2).unwrap();
    let far = sampler.replay(&logits, history, None, 3).unwrap();
    assert_eq!((near.cut, far.cut), (1.0, 10.0));
    let mut mask = TokenMask::none(4);
    mask.allow(0);
    let masked = sampler.replay(&logits, history, Some(&mask), 1).unwrap();
    assert_eq!((masked.token, masked.margin), (0, f64::INFINITY));
}

#[test]
fn logprobs_are_the_log_softmax() {
    let logits = logits_of(&PROBABILITIES, 1.0);
    let got = logprobs(&logits, 3, 2);
    assert!((got.chosen.to_f64() - 0.1_f64.ln()).abs() < 2e-6);
    assert_eq!(got.top.iter().map(|(token, _)| *token).collect::<Vec<_>>(), [0, 1]);
    assert!((got.top[0].1.to_f64() - 0.4_f64.ln()).abs() < 2e-6);
    assert_eq!(logprobs(&logits, 9, 255).top.len(), 6);
    assert_eq!(logprobs(&logits, 9, 0), Logprobs { chosen: LOGPROB_MIN, top: vec![] });
    assert_eq!(logprobs(&[f32::NAN], 0, 1), Logprobs { chosen: LOGPROB_MIN, top: vec![] });
    assert_eq!(logprobs(&[0.0, f32::NEG_INFINITY], 1, 0).chosen, LOGPROB_MIN);
}

fn some_sampling() -> impl Strategy<Value = Sampling> {
    (
        prop_oneof![Just(0.0), 0.01..2.0_f64],
        0..50_u32,
        prop_oneof![Just(1.0), 0.0..1.0_f64],
        prop_oneof![Just(0.0), 0.0..1.0_f64],
        prop_oneof![Just(1.0), 0.5..2.0_f64],
        -2.0..2.0_f64,
    )
        .prop_map(|(temperature, top_k, top_p, min_p, repetition, frequency)| Sampling {
            temperature: millionths(temperature),
            top_k,
            top_p: millionths(top_p),
            min_p: millionths(min_p),
            repetition_penalty: millionths(repetition),
            frequency_penalty: millionths(frequency),
            presence_penalty: millionths(frequency / 2.0),
            logit_bias: [(1, millionths(frequency))].into(),
        })
}

proptest! {
    /// An honest choice replays with no margin; any other claim has one, or is cut.
    #[test]
    fn replay_accepts_the_choice_and_no_other(
        params in some_sampling(),
        logits in proptest::collection::vec(-20.0..20.0_f32, 2..300),
        output in proptest::collection::vec(0..300_u32, 0..50),
        choice in 0..16_u16,
        other in 0..300_u32,
    ) {
        let history = History { prompt: &[3, 1, 4], output: &output };
        let mut sampler = Sampler::new(&params, &Seed::from_caller(9), choice);
        let chosen = sampler.choose(&logits, history, None).unwrap();
        let honest = sampler.replay(&logits, history, None, chosen).unwrap();
        prop_assert_eq!(honest, Replay { token: chosen, margin: 0.0, cut: 0.0 });
        let other = other % logits.len() as u32;
        let replay = sampler.replay(&logits, history, None, other).unwrap();
        prop_assert_eq!(replay.token, chosen);
        let distinct = logits[other as usize] != logits[chosen as usize];
        if other != chosen && distinct && params.repetition_penalty == Millionths::ONE
            && params.frequency_penalty == Millionths::ZERO
        {
            prop_assert!(replay.margin > 0.0 || replay.cut > 0.0);
        }
    }

    /// A draw depends on nothing but its arguments: a sampler that is used for the first time
    /// at some position draws what one does that went all the way.
    #[test]
    fn a_fresh_sampler_continues_with_the_same_draws(
        params in some_sampling(),
        logits in proptest::collection::vec(-5.0..5.0_f32, 2..200),
        resume_at in 0..20_usize,
    ) {
        let seed = Seed::from_caller(4);
        let run = |mut output: Vec<u32>| {
            let mut sampler = Sampler::new(&params, &seed, 1);
            while output.len() < 20 {
                let history = History { prompt: &[2], output: &output };
                let token = sampler.choose(&logits, history, None).unwrap();
                output.push(token);
            }
            output
        };
        let whole = run(Vec::new());
        prop_assert_eq!(run(whole[..resume_at].to_vec()), whole);
    }

    #[test]
    fn masked_tokens_are_never_chosen(
        params in some_sampling(),
        logits in proptest::collection::vec(-5.0..5.0_f32, 2..200),
        words in proptest::collection::vec(any::<u32>(), 0..8),
    ) {
        let mask = TokenMask::from_words(words, logits.len());
        let mut sampler = Sampler::new(&params, &Seed::from_caller(4), 0);
        match sampler.choose(&logits, History::default(), Some(&mask)) {
            Ok(token) => prop_assert!(mask.allows(token)),
            Err(error) => {
                prop_assert_eq!(error, SampleError::NothingPossible);
                prop_assert!((0..logits.len() as u32).all(|token| !mask.allows(token)));
            }
        }
    }
}

/// These choices must be the same on every platform, for ever: receipts depend on them.
/// An independent program in another language computed them first.
#[test]
fn golden_choices() {
    let logits: Vec<f32> =
        (0..49_152_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 16) as f32 / 8192.0).collect();
    let seed = Seed(Hash([0x5a; 32]));
    let run = |params: &Sampling| {
        let mut sampler = Sampler::new(params, &seed, 3);
        let mut output = vec![];
        for _ in 0..4 {
            let history = History { prompt: &[7], output: &output };
            let token = sampler.choose(&logits, history, None).unwrap();
            output.push(token);
        }
        output
    };
    assert_eq!(run(&sampling(0.0)), [39_603; 4]);
    assert_eq!(run(&sampling(1.0)), [45_824, 163, 24_793, 46_948]);
    assert_eq!(run(&sampling(0.3)), [11_700, 11_276, 24_793, 17_643]);
    assert_eq!(run(&Sampling { top_k: 40, ..sampling(0.7) }), [6_155, 46_368, 47_355, 29_644]);
    assert_eq!(
        run(&Sampling { top_p: millionths(0.9), ..sampling(0.2) }),
        [11_700, 11_276, 48_939, 17_643]
    );
}

/// How long a choice takes: `cargo test -p remuda-proof -- --ignored --nocapture costs`.
#[test]
#[ignore = "a measurement, not a check"]
fn costs() {
    let noise = noise::Noise::new(&Seed::from_caller(2), 0, 0);
    let logits: Vec<f32> = (0..49_152).map(|n| (noise.gumbel(n) * 3.0) as f32).collect();
    let cases = [
        ("greedy", sampling(0.0)),
        ("whole vocabulary", sampling(1.0)),
        ("top_k 40", Sampling { top_k: 40, ..sampling(0.8) }),
        ("top_p 0.9", Sampling { top_p: millionths(0.9), ..sampling(0.8) }),
        ("min_p 0.05", Sampling { min_p: millionths(0.05), ..sampling(0.8) }),
        ("penalties", Sampling { repetition_penalty: millionths(1.1), ..sampling(1.0) }),
    ];
    let output = vec![5; 500];
    for (name, params) in cases {
        let mut sampler = Sampler::new(&params, &Seed::from_caller(1), 0);
        let start = std::time::Instant::now();
        for position in 0..500 {
            let history = History { prompt: &[1; 500], output: &output[..position] };
            std::hint::black_box(sampler.choose(&logits, history, None).unwrap());
        }
        println!("{name}: {:?} a token", start.elapsed() / 500);
    }
    let start = std::time::Instant::now();
    for token in 0..500 {
        std::hint::black_box(logprobs(&logits, token, 20));
    }
    println!("logprobs: {:?} a token", start.elapsed() / 500);
}
