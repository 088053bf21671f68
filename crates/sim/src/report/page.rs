//! The page around the charts.

use super::Chart;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#d9dee5;--paper:#fff;\
--back:#f5f6f8;--s0:#2563a8;--s1:#c2571a;--s2:#2f855a;--s3:#8a4baf;--s4:#b08900;--s5:#c0392b}\
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf1;--soft:#9aa5b4;--line:#2d3641;\
--paper:#161b22;--back:#0e1217;--s0:#6aa9e9;--s1:#f09a5d;--s2:#63c491;--s3:#c08be0;\
--s4:#dcb63e;--s5:#ef7b6d}}body{margin:0;background:var(--back);color:var(--ink);\
font:15px/1.5 system-ui,sans-serif}main{max-width:1360px;margin:0 auto;padding:24px}h1{\
font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:32px 0 8px}h3{font-size:15px;margin:0}\
p{margin:4px 0;max-width:90ch}.soft,.unit{color:var(--soft)}.charts{display:grid;\
grid-template-columns:repeat(auto-fill,minmax(440px,1fr));gap:16px}figure{margin:0;\
padding:16px;background:var(--paper);border:1px solid var(--line);border-radius:8px}\
figcaption{display:flex;justify-content:space-between;gap:12px}svg{width:100%;height:auto}\
svg text{fill:var(--soft);font-size:11px}text.y{text-anchor:end}text.x{text-anchor:middle}\
.grid{stroke:var(--line)}polyline{fill:none;stroke-width:2}.legend{display:flex;\
flex-wrap:wrap;gap:4px 16px}.legend i{display:inline-block;width:12px;height:3px;\
margin-right:6px;vertical-align:middle}polyline.s0{stroke:var(--s0)}polyline.s1{\
stroke:var(--s1)}polyline.s2{stroke:var(--s2)}polyline.s3{stroke:var(--s3)}polyline.s4{\
stroke:var(--s4)}polyline.s5{stroke:var(--s5)}i.s0{background:var(--s0)}i.s1{\
background:var(--s1)}i.s2{background:var(--s2)}i.s3{background:var(--s3)}i.s4{\
background:var(--s4)}i.s5{background:var(--s5)}table{border-collapse:collapse;\
background:var(--paper);font-variant-numeric:tabular-nums}th,td{padding:6px 12px;\
border:1px solid var(--line);text-align:right}th:first-child,td:first-child,td.words{\
text-align:left}.loses{color:var(--s2)}.profits{color:var(--s5)}";

/// Text that stands for itself in HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A page of charts, with what comes before and after them.
pub(crate) fn page(title: &str, lead: &[String], charts: &[Chart], after: &str) -> String {
    let lead: String = lead.iter().map(|text| format!("<p>{}</p>", escape(text))).collect();
    let figures: String = charts.iter().map(Chart::figure).collect();
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>{lead}\n\
         <div class=\"charts\">{figures}</div>\n{after}</main></body></html>\n"
    )
}
