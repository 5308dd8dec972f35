//! A class as a picture: for each scenario the share caught, with the counts beside it, as plain SVG.

use std::{fmt::Write as _, path::Path};

use anomaly::evaluate::ClassSummary;
use anyhow::Context;

/// Height of a row, width of a full bar, where bars begin; pixels.
const ROW: usize = 22;
const BAR: usize = 300;
const LEFT: usize = 190;

/// One SVG a class into `folder`.
pub(super) fn write(folder: &Path, classes: &[ClassSummary]) -> anyhow::Result<()> {
    let named = || format!("cannot write plots into {}", folder.display());
    std::fs::create_dir_all(folder).with_context(named)?;
    for class in classes {
        std::fs::write(folder.join(format!("{}.svg", class.class)), drawn(class)).with_context(named)?;
    }
    Ok(())
}

fn drawn(class: &ClassSummary) -> String {
    let height = ROW * (class.scenarios.len() + 3);
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='760' height='{height}' font-family='sans-serif' font-size='13'>\n\
         <rect width='100%' height='100%' fill='white'/>\n\
         <text x='10' y='{ROW}' font-weight='bold'>{}: caught at 0.85, of the agents admitted</text>\n",
        class.class
    );
    for (at, one) in class.scenarios.iter().enumerate() {
        let y = ROW * (at + 2);
        let width = BAR * one.caught / one.tried.max(1);
        let linear = BAR * one.linear[0] / one.tried.max(1);
        let fill = if one.control { "#b04a3a" } else { "#2f6f9f" };
        let orders = one
            .orders
            .map_or_else(String::new, |[median, p90]| format!(", orders {median:.0} / {p90:.0}"));
        let name = if one.control {
            format!("{} (must not)", one.scenario)
        } else {
            one.scenario.to_owned()
        };
        let _ = writeln!(
            svg,
            "<text x='10' y='{}'>{name}</text><rect x='{LEFT}' y='{y}' width='{BAR}' height='14' fill='#eee'/>\
             <rect x='{LEFT}' y='{y}' width='{width}' height='14' fill='{fill}'/>\
             <rect x='{LEFT}' y='{}' width='{linear}' height='3' fill='#444'/>\
             <text x='{}' y='{}'>{} of {}{orders}</text>",
            y + 12,
            y + 11,
            LEFT + BAR + 10,
            y + 12,
            one.caught,
            one.tried
        );
    }
    let _ = writeln!(
        svg,
        "<text x='10' y='{}' fill='#444'>dark line: the clipped linear score; orders to detection: median / 90th percentile</text>\n</svg>",
        height - 8
    );
    svg
}
