#pragma once
// Makes an acoustic model of 16 kHz speech one of telephone speech. Pure: the model's files in, such files out.
//
// The model judges cepstra: cosine transforms of the logarithms of mel filters from 130 to 6800 Hz. A telephone carries
// nothing above 3.4 kHz, so a third of these filters says nothing about the speech, and the transform spreads that over
// every number that is judged. Here each mean is turned back into filters, those that a telephone carries are kept, and
// these are transformed as a front end at 8 kHz with exactly these filters does; variances go along. Nothing is
// trained: both steps are linear, and the mean of a line is taken away on both sides.
//
// The model does not keep all coefficients that its filters have. What is lost of a mean was small; its variance is
// guessed, because without it the new highest coefficients would seem to be known exactly.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace agentlocator::speech {

// Mel filters of equal width on the mel scale, each overlapping half of its neighbours.
struct FilterBank {
    double low_hz = 0;
    double high_hz = 0;
    std::size_t count = 0;
    friend bool operator==(const FilterBank&, const FilterBank&) = default;
};
inline constexpr double telephone_top_hz = 3400;  // ITU-T G.712: what a telephone channel passes.

// Of the same filters those that end below the telephone's limit.
[[nodiscard]] FilterBank telephone_filters(const FilterBank& wide);

// Vectors of one kind (means or variances) of every Gaussian: codebooks x streams x densities x coefficients.
struct GaussianTable {
    std::size_t codebooks = 0;
    std::size_t streams = 0;
    std::size_t densities = 0;
    std::vector<float> values;
};
inline constexpr std::size_t cepstra = 13;  // Coefficients of a stream: of the cepstrum, its slope or its curvature.

// bad_message: not a file of this format ("s3", little-endian) with `cepstra` coefficients in every stream.
[[nodiscard]] Result<GaussianTable> read_gaussians(std::string_view file);
[[nodiscard]] std::string write_gaussians(const GaussianTable& table);

// Both tables of one model, from `wide` filters to `narrow` ones, the first of `wide`.
struct Gaussians {
    GaussianTable means;
    GaussianTable variances;
};
void narrow_gaussians(Gaussians& model, const FilterBank& wide, const FilterBank& narrow, double lifter);

// The files of a model folder, in and out.
struct ModelFiles {
    std::string parameters;  // feat.params
    std::string means;
    std::string variances;
};
// bad_message: a file is damaged, or the model's front end is of a kind that this does not know.
[[nodiscard]] Result<ModelFiles> make_telephone_model(const ModelFiles& wide);

}  // namespace agentlocator::speech
