#include "speech/telephone_model.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

using namespace agentlocator;
using namespace agentlocator::speech;

namespace {

constexpr FilterBank wide{130, 6800, 25};
constexpr double lifter = 22;
const std::string parameters = "-lowerf 130\n-upperf 6800\n-nfilt 25\n-transform dct\n-lifter 22\n-cmninit 1,2\n";

// The cepstrum of logarithms of filters, written down once more.
std::array<double, cepstra> cepstrum_of(const std::vector<double>& filters) {
    std::array<double, cepstra> result{};
    for (std::size_t k = 0; k < cepstra; ++k) {
        const auto count = static_cast<double>(filters.size());
        for (std::size_t j = 0; j < filters.size(); ++j) {
            result[k] += filters[j] * std::cos(std::numbers::pi * static_cast<double>(k) *
                                               (2 * static_cast<double>(j) + 1) / (2 * count));
        }
        result[k] *= std::sqrt((k == 0 ? 1 : 2) / count);
        result[k] *= 1 + 11 * std::sin(std::numbers::pi * static_cast<double>(k) / 22);
    }
    return result;
}

GaussianTable table_of(std::vector<float> values) {
    return {1, 1, values.size() / cepstra, std::move(values)};
}
std::vector<float> floats(const std::array<double, cepstra>& values) {
    return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("telephone_model: keeps the filters that end below the telephone's limit") {
    const FilterBank narrow = telephone_filters(wide);
    CHECK(narrow.low_hz == wide.low_hz);
    CHECK(narrow.count == 17);
    CHECK(narrow.high_hz == doctest::Approx(3109).epsilon(0.002));
    CHECK(telephone_filters({130, 3000, 20}).count == 20);  // All of them.
}

TEST_CASE("telephone_model: a mean becomes what the front end at 8 kHz measures of the same sound") {
    // Smooth enough over the filters that the 13 coefficients hold all of it.
    std::vector<double> filters;
    for (std::size_t j = 0; j < wide.count; ++j) {
        filters.push_back(7 + 3 * std::cos(std::numbers::pi * 3 * (static_cast<double>(j) + 0.5) / 25) -
                          2 * std::cos(std::numbers::pi * 7 * (static_cast<double>(j) + 0.5) / 25));
    }
    const auto expected = cepstrum_of({filters.begin(), filters.begin() + 17});
    Gaussians model{table_of(floats(cepstrum_of(filters))), table_of(std::vector<float>(cepstra, 1))};
    narrow_gaussians(model, wide, telephone_filters(wide), lifter);
    for (std::size_t k = 0; k < cepstra; ++k) {
        CAPTURE(k);
        CHECK(static_cast<double>(model.means.values[k]) == doctest::Approx(expected[k]).epsilon(0.001));
    }
}

TEST_CASE("telephone_model: what lies above the telephone's band makes no difference") {
    std::vector<double> quiet(25, 5);
    std::vector<double> hissing = quiet;
    for (std::size_t j = 21; j < 25; ++j) {
        hissing[j] += 6;
    }
    const auto mean = [](const std::vector<double>& filters) {
        Gaussians model{table_of(floats(cepstrum_of(filters))), table_of(std::vector<float>(cepstra, 1))};
        narrow_gaussians(model, wide, telephone_filters(wide), lifter);
        return model.means.values;
    };
    const auto a = mean(quiet);
    const auto b = mean(hissing);
    const auto before = cepstrum_of(hissing)[0] - cepstrum_of(quiet)[0];
    CHECK(before > 4);
    CHECK(std::abs(static_cast<double>(b[0] - a[0])) < 0.1 * before);  // The rest is what 13 coefficients blur.
}

TEST_CASE("telephone_model: no coefficient is known better than the model knows its filters") {
    Gaussians model{table_of(std::vector<float>(cepstra, 0)), table_of(std::vector<float>(cepstra, 1))};
    for (std::size_t k = 0; k < cepstra; ++k) {
        const double lift = 1 + 11 * std::sin(std::numbers::pi * static_cast<double>(k) / 22);
        model.variances.values[k] = static_cast<float>(lift * lift);  // One for each, without the lifter.
    }
    narrow_gaussians(model, wide, telephone_filters(wide), lifter);
    for (std::size_t k = 0; k < cepstra; ++k) {
        const double lift = 1 + 11 * std::sin(std::numbers::pi * static_cast<double>(k) / 22);
        CAPTURE(k);
        CHECK(static_cast<double>(model.variances.values[k]) / (lift * lift) > 0.3);
        CHECK(static_cast<double>(model.variances.values[k]) / (lift * lift) < 1.001);
    }
}

TEST_CASE("telephone_model: a table is read as it was written; a damaged one is refused") {
    const GaussianTable table{2, 3, 4, std::vector<float>(2 * 3 * 4 * cepstra, 0.5F)};
    const std::string file = write_gaussians(table);
    const auto read = read_gaussians(file);
    REQUIRE(read.has_value());
    CHECK(read->codebooks == 2);
    CHECK(read->streams == 3);
    CHECK(read->densities == 4);
    CHECK(read->values == table.values);
    for (std::size_t size = 0; size < file.size(); ++size) {
        CHECK_FALSE(read_gaussians(std::string_view(file).substr(0, size)).has_value());
    }
    std::string huge = file;
    huge[huge.find("endhdr") + 7 + 4 + 3] = 0x7f;  // Codebooks: two thousand million.
    CHECK_FALSE(read_gaussians(huge).has_value());
    std::string swapped = file;
    std::swap(swapped[huge.find("endhdr") + 7], swapped[huge.find("endhdr") + 10]);
    CHECK_FALSE(read_gaussians(swapped).has_value());
}

TEST_CASE("telephone_model: files of a model in, files of a telephone's model out") {
    const GaussianTable table{1, 3, 2, std::vector<float>(3 * 2 * cepstra, 1)};
    const std::string file = write_gaussians(table);
    const auto made = make_telephone_model({parameters + "-feat 1s_c_d_dd\n", file, file});
    REQUIRE(made.has_value());
    CHECK(made->parameters.find("-feat 1s_c_d_dd\n") != std::string::npos);
    CHECK(made->parameters.find("-samprate 8000\n") != std::string::npos);
    CHECK(made->parameters.find("-nfilt 17\n") != std::string::npos);
    CHECK(made->parameters.find("-nfilt 25") == std::string::npos);
    CHECK(made->parameters.find("-cmninit 1,2") == std::string::npos);
    CHECK(read_gaussians(made->means).has_value());
    CHECK(read_gaussians(made->variances).has_value());
}

TEST_CASE("telephone_model: a front end it does not know is refused") {
    const std::string file = write_gaussians({1, 1, 1, std::vector<float>(cepstra, 1)});
    const auto made = [&](const std::string& lines) { return make_telephone_model({lines, file, file}).has_value(); };
    CHECK(made(parameters));
    CHECK_FALSE(made(""));
    CHECK_FALSE(made("-lowerf 130\n-upperf 6800\n-nfilt 25\n-transform legacy\n-lifter 22\n"));
    CHECK_FALSE(made("-lowerf 130\n-upperf 3400\n-nfilt 25\n-transform dct\n-lifter 22\n"));
    CHECK_FALSE(made("-lowerf 130\n-upperf 6800\n-nfilt 12\n-transform dct\n-lifter 22\n"));
    CHECK_FALSE(made("-lowerf 130\n-upperf 6800\n-nfilt 101\n-transform dct\n-lifter 22\n"));
}

TEST_CASE("telephone_model: tables that are damaged or of two models are refused") {
    const std::string file = write_gaussians({1, 1, 1, std::vector<float>(cepstra, 1)});
    const std::string other = write_gaussians({1, 1, 2, std::vector<float>(2 * cepstra, 1)});
    CHECK_FALSE(make_telephone_model({parameters, file, "s3\n"}).has_value());
    CHECK_FALSE(make_telephone_model({parameters, file, other}).has_value());
}
