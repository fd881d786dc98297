#include "speech/telephone_model.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <numbers>
#include <optional>

#include "common/text.hpp"

namespace agentlocator::speech {
namespace {

static_assert(std::endian::native == std::endian::little, "model files are read and written as they lie in memory");

constexpr std::size_t filters_max = 100;        // Models have 20 to 40.
constexpr std::uint32_t table_side_max = 6000;  // Codebooks or densities; the largest models have 6000 senones.
constexpr std::uint32_t byte_order = 0x11223344;

// The mean of the cepstrum of speech on a telephone line at -24 dBFS, through these filters: what is taken away before
// the first words of a call have told its own.
constexpr std::string_view telephone_mean =
    "-cmninit 36.82,-0.32,2.91,-3.37,-3.66,0.30,-0.81,-1.97,-0.10,0.41,1.41,-0.25,1.38";

// What is lost is assumed to vary as much as the highest coefficient that is kept, and a tenth less with each step.
constexpr double lost_decay = 0.9;

double mel(double hertz) {
    return 2595 * std::log10(1 + hertz / 700);
}
double hertz(double mels) {
    return 700 * (std::pow(10, mels / 2595) - 1);
}
double mel_step(const FilterBank& bank) {
    return (mel(bank.high_hz) - mel(bank.low_hz)) / static_cast<double>(bank.count + 1);
}

// Orthonormal DCT-II: its inverse is its transpose.
double cosine(std::size_t filters, std::size_t coefficient, std::size_t filter) {
    const auto count = static_cast<double>(filters);
    const double scale = std::sqrt((coefficient == 0 ? 1.0 : 2.0) / count);
    return scale *
           std::cos(static_cast<double>(coefficient) * std::numbers::pi / count * (static_cast<double>(filter) + 0.5));
}
double lift(std::size_t coefficient, double lifter) {
    return lifter == 0 ? 1 : 1 + lifter / 2 * std::sin(static_cast<double>(coefficient) * std::numbers::pi / lifter);
}

// New coefficients from old ones; `lost`: from those that the model does not keep, without the lifter.
struct Narrowing {
    std::array<std::array<double, cepstra>, cepstra> kept{};
    std::array<std::vector<double>, cepstra> lost;
};

Narrowing make_narrowing(const FilterBank& wide, const FilterBank& narrow, double lifter) {
    Narrowing result;
    for (std::size_t to = 0; to < cepstra; ++to) {
        for (std::size_t from = 0; from < wide.count; ++from) {
            double sum = 0;
            for (std::size_t filter = 0; filter < narrow.count; ++filter) {
                sum += cosine(narrow.count, to, filter) * cosine(wide.count, from, filter);
            }
            if (from < cepstra) {
                result.kept[to][from] = sum * lift(to, lifter) / lift(from, lifter);
            } else {
                result.lost[to].push_back(sum * lift(to, lifter));
            }
        }
    }
    return result;
}

std::array<double, cepstra> variance_of_the_lost(const Narrowing& by, const GaussianTable& variances,
                                                 std::size_t stream, double lifter) {
    const std::size_t last = cepstra - 1;
    double sum = 0;
    for (std::size_t book = 0; book < variances.codebooks; ++book) {
        for (std::size_t density = 0; density < variances.densities; ++density) {
            const std::size_t row = (book * variances.streams + stream) * variances.densities + density;
            sum += static_cast<double>(variances.values[row * cepstra + last]);
        }
    }
    const double highest = sum / static_cast<double>(variances.codebooks * variances.densities) /
                           (lift(last, lifter) * lift(last, lifter));
    std::array<double, cepstra> result{};
    for (std::size_t to = 0; to < cepstra; ++to) {
        double variance = highest;
        for (const double factor : by.lost[to]) {
            variance *= lost_decay;
            result[to] += factor * factor * variance;
        }
    }
    return result;
}

// "-nfilt 25" -> nfilt: 25
std::map<std::string_view, std::string_view> read_parameters(std::string_view text) {
    std::map<std::string_view, std::string_view> found;
    for (const std::string_view line : split(text, '\n')) {
        const auto blank = line.find_first_of(" \t");
        if (line.starts_with('-') && blank != std::string_view::npos) {
            found[line.substr(1, blank - 1)] = trim(line.substr(blank + 1));
        }
    }
    return found;
}

struct FrontEnd {
    FilterBank filters;
    double lifter = 0;
};

std::optional<FrontEnd> read_front_end(std::string_view parameters) {
    const auto found = read_parameters(parameters);
    const auto number = [&](std::string_view name) {
        const auto at = found.find(name);
        return at == found.end() ? std::nan("") : std::strtod(std::string(at->second).c_str(), nullptr);
    };
    const auto transform = found.find("transform");
    const double count = number("nfilt");
    FrontEnd result{{number("lowerf"), number("upperf"), 0}, number("lifter")};
    const bool known = transform != found.end() && transform->second == "dct" && result.filters.low_hz > 0 &&
                       result.filters.high_hz > telephone_top_hz && count >= cepstra && count <= filters_max &&
                       result.lifter >= 0;
    if (!known) {
        return std::nullopt;
    }
    result.filters.count = static_cast<std::size_t>(count);
    return result;
}

std::string telephone_parameters(std::string_view wide, const FilterBank& filters) {
    std::string text;
    for (const std::string_view line : split(wide, '\n')) {
        const std::string_view name = line.substr(0, line.find_first_of(" \t"));
        if (!name.empty() && name != "-lowerf" && name != "-upperf" && name != "-nfilt" && name != "-cmninit") {
            text += std::string(line) + "\n";
        }
    }
    std::array<char, 160> own{};  // 8 kHz and half the points: the same bins of 31.25 Hz as at 16 kHz.
    std::snprintf(own.data(), own.size(), "-samprate 8000\n-nfft 256\n-lowerf %.4f\n-upperf %.4f\n-nfilt %zu\n",
                  filters.low_hz, filters.high_hz, filters.count);
    return text + own.data() + std::string(telephone_mean) + "\n";
}

// Takes 32-bit numbers off the front of a file.
class WordReader {
public:
    explicit WordReader(std::string_view rest) : rest_(rest) {}
    [[nodiscard]] std::uint32_t next() {  // 0 at the end.
        std::uint32_t word = 0;
        if (rest_.size() >= sizeof word) {
            std::memcpy(&word, rest_.data(), sizeof word);
            rest_.remove_prefix(sizeof word);
        }
        return word;
    }
    [[nodiscard]] std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

void append_word(std::string& out, std::size_t word) {
    const auto number = static_cast<std::uint32_t>(word);
    out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace

FilterBank telephone_filters(const FilterBank& wide) {
    const double step = mel_step(wide);
    FilterBank narrow{wide.low_hz, wide.low_hz, 0};
    for (std::size_t count = 1; count <= wide.count; ++count) {
        const double top = hertz(mel(wide.low_hz) + static_cast<double>(count + 1) * step);
        if (top > telephone_top_hz) {
            break;
        }
        narrow = {wide.low_hz, top, count};
    }
    return narrow;
}

Result<GaussianTable> read_gaussians(std::string_view file) {
    constexpr std::string_view end_of_header = "endhdr\n";
    const auto header = file.find(end_of_header);
    if (!file.starts_with("s3\n") || header == std::string_view::npos) {
        return error(Errc::bad_message, "it does not begin as a table of Gaussians does");
    }
    WordReader words(file.substr(header + end_of_header.size()));
    const bool ours = words.next() == byte_order;
    const std::uint32_t codebooks = words.next();
    const std::uint32_t streams = words.next();
    const std::uint32_t densities = words.next();
    bool fits = ours && codebooks > 0 && codebooks <= table_side_max && densities > 0 && densities <= table_side_max &&
                streams > 0 && streams <= 4;
    for (std::uint32_t stream = 0; fits && stream < streams; ++stream) {
        fits = words.next() == cepstra;
    }
    const std::size_t count = std::size_t{codebooks} * streams * densities * cepstra;
    if (!fits || words.next() != count || words.rest().size() < count * sizeof(float)) {
        return error(Errc::bad_message, "its shape is unknown, or it is cut off");
    }
    GaussianTable table{codebooks, streams, densities, std::vector<float>(count)};
    std::memcpy(table.values.data(), words.rest().data(), count * sizeof(float));
    return table;
}

std::string write_gaussians(const GaussianTable& table) {
    std::string out = "s3\nversion 1.0\nendhdr\n";
    append_word(out, byte_order);
    append_word(out, table.codebooks);
    append_word(out, table.streams);
    append_word(out, table.densities);
    for (std::size_t stream = 0; stream < table.streams; ++stream) {
        append_word(out, cepstra);
    }
    append_word(out, table.values.size());
    out.append(reinterpret_cast<const char*>(table.values.data()), table.values.size() * sizeof(float));
    return out;
}

void narrow_gaussians(Gaussians& model, const FilterBank& wide, const FilterBank& narrow, double lifter) {
    const Narrowing by = make_narrowing(wide, narrow, lifter);
    std::vector<std::array<double, cepstra>> lost;
    for (std::size_t stream = 0; stream < model.variances.streams; ++stream) {
        lost.push_back(variance_of_the_lost(by, model.variances, stream, lifter));
    }
    for (std::size_t row = 0; row * cepstra < model.means.values.size(); ++row) {
        float* const mean = &model.means.values[row * cepstra];
        float* const variance = &model.variances.values[row * cepstra];
        std::array<double, cepstra> new_mean{};
        std::array<double, cepstra> new_variance = lost[row / model.means.densities % model.means.streams];
        for (std::size_t to = 0; to < cepstra; ++to) {
            for (std::size_t from = 0; from < cepstra; ++from) {
                const double factor = by.kept[to][from];
                new_mean[to] += factor * static_cast<double>(mean[from]);
                new_variance[to] += factor * factor * static_cast<double>(variance[from]);
            }
        }
        for (std::size_t to = 0; to < cepstra; ++to) {
            mean[to] = static_cast<float>(new_mean[to]);
            variance[to] = static_cast<float>(new_variance[to]);
        }
    }
}

Result<ModelFiles> make_telephone_model(const ModelFiles& wide) {
    const auto front_end = read_front_end(wide.parameters);
    if (!front_end) {
        return error(Errc::bad_message, "feat.params names a front end that cannot be made one for the telephone");
    }
    auto means = read_gaussians(wide.means);
    auto variances = read_gaussians(wide.variances);
    if (!means || !variances) {
        return error(Errc::bad_message,
                     std::string(means ? "variances: " : "means: ") + (means ? variances : means).error().detail);
    }
    if (means->codebooks != variances->codebooks || means->streams != variances->streams ||
        means->densities != variances->densities) {
        return error(Errc::bad_message, "means and variances are not of one model");
    }
    const FilterBank narrow = telephone_filters(front_end->filters);
    Gaussians model{std::move(*means), std::move(*variances)};
    narrow_gaussians(model, front_end->filters, narrow, front_end->lifter);
    return ModelFiles{telephone_parameters(wide.parameters, narrow), write_gaussians(model.means),
                      write_gaussians(model.variances)};
}

}  // namespace agentlocator::speech
