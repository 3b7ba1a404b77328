//! Which instructions of this processor the speech code uses, and whether it can
//! run at all. Checked before the first call into whisper.cpp, which would die of
//! an illegal instruction.

use std::sync::LazyLock;

use super::engine::Products;

/// What the speech engine computes with here: AVX2, AVX-512, or AVX-512 with VNNI.
/// Chosen when the program runs, for the log and the page.
pub fn instructions() -> &'static str {
    static CHOSEN: LazyLock<String> = LazyLock::new(|| {
        let products = Products::new();
        match products.name() {
            "x86_64-u8i8i32-avx512" if !products.sums_in_16_bits() => "AVX-512 VNNI".to_owned(),
            "x86_64-u8i8i32-avx512" => "AVX-512".to_owned(),
            "x86_64-u8i8i32-avx2" => "AVX2".to_owned(),
            other => other.to_owned(),
        }
    });
    &CHOSEN
}

/// True for a build for the machine it was made on (`install.sh --native`),
/// which needs what that machine has and no more.
const NATIVE: bool = matches!(option_env!("GGML_NATIVE"), Some(value) if value.len() == 2);

/// The features this build was compiled for that this processor lacks.
#[cfg(target_arch = "x86_64")]
pub fn missing_features() -> Vec<&'static str> {
    let mut missing = Vec::new();
    if NATIVE {
        return missing;
    }
    macro_rules! need {
        ($($feature:tt),*) => {
            $(if !std::arch::is_x86_feature_detected!($feature) { missing.push($feature); })*
        };
    }
    need!("sse4.2", "avx", "avx2", "fma", "f16c", "bmi2");
    missing
}

/// Other architectures are built for the machine itself.
#[cfg(not(target_arch = "x86_64"))]
pub fn missing_features() -> Vec<&'static str> {
    Vec::new()
}
