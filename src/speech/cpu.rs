//! Whether this processor can run the speech code at all. Checked before the
//! first call into whisper.cpp, which would die of an illegal instruction.

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
