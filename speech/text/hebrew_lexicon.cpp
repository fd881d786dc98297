#include "speech/text/hebrew_lexicon.hpp"

#include <array>
#include <map>
#include <utility>
#include <vector>

#include "speech/text/hebrew_numbers.hpp"

namespace agentlocator::speech {
namespace {

// Full spelling with niqqud, so that the plain key is the same word without marks. Words of an office that sells and
// lets homes, and the commonest words of the language.
constexpr std::u32string_view common_words =
    U"שָׁלוֹם תּוֹדָה בְּבַקָּשָׁה סְלִיחָה כֵּן לֹא אוֹ אֲבָל אִם כִּי גַּם רַק עוֹד כְּבָר עַכְשָׁיו הַיּוֹם מָחָר אֶתְמוֹל "
    U"אֲנִי אַתָּה הוּא הִיא אֲנַחְנוּ אַתֶּם אַתֶּן הֵם הֵן זֶה זֹאת אֵלֶּה אֵלּוּ אֶת שֶׁל עַל אֶל עִם מִן עַד בֵּין אַחֲרֵי לִפְנֵי "
    U"שֶׁלִּי שֶׁלְּךָ שֶׁלּוֹ שֶׁלָּהּ שֶׁלָּנוּ שֶׁלָּכֶם שֶׁלָּהֶם לִי לְךָ לוֹ לָהּ לָנוּ לָכֶם לָהֶם אוֹתִי אוֹתְךָ אוֹתוֹ אוֹתָהּ אוֹתָנוּ "
    U"אֶתְכֶם אוֹתָם אֵלַי אֵלֶיךָ אֵלָיו אֵלֵינוּ אֲלֵיכֶם אֲלֵיהֶם אִתִּי אִתְּךָ אִתָּנוּ אִתְּכֶם בּוֹ בָּהּ בָּהֶם מִמֶּנִּי מִמֶּנּוּ "
    U"מָה מִי אֵיפֹה מָתַי לָמָּה אֵיךְ כַּמָּה אֵיזֶה אֵיזוֹ אֵילוּ מַדּוּעַ הַאִם לְאָן מֵאַיִן "
    U"יֵשׁ אֵין הָיָה הָיְתָה הָיוּ יִהְיֶה תִּהְיֶה יִהְיוּ לִהְיוֹת אֶפְשָׁר אֶפְשָׁרוּת צָרִיךְ צְרִיכָה צְרִיכִים רוֹצֶה רוֹצָה רוֹצִים "
    U"יָכוֹל יְכוֹלָה יְכוֹלִים מְחַפֵּשׂ מְחַפֶּשֶׂת מְחַפְּשִׂים מְדַבֵּר מְדַבֶּרֶת מְדַבְּרִים גָּר גָּרָה גָּרִים "
    U"לִקְנוֹת לִמְכּוֹר לִשְׂכּוֹר לְהַשְׂכִּיר לַעֲזוֹר לִרְאוֹת לָבוֹא לָלֶכֶת לְדַבֵּר לַחֲזוֹר לָדַעַת לְקַבֵּל לָתֵת לִשְׁמוֹעַ "
    U"לִבְדּוֹק לִפְנוֹת לִקְבּוֹעַ לְתַאֵם לְהַגִּיעַ לְהַעֲבִיר לְהַמְשִׁיךְ לְהַתְחִיל לְסַיֵּים לְהַשְׁאִיר לְהִפָּגֵשׁ לְהִתְרָאוֹת "
    U"לְהַקִּישׁ הַקִּישׁוּ הַקֵּשׁ לַחֲצוּ לְחַץ אִמְרוּ הַשְׁאִירוּ נַסּוּ הַמְתִּינוּ תִּרְצוּ תִּרְצֶה תּוּכְלוּ תּוּכַל נִשְׁמַח אֶשְׂמַח "
    U"נַחֲזוֹר אַחְזוֹר נָשׁוּב אָשׁוּב נוּכַל אוּכַל נִקְבַּע מַעֲבִיר מַעֲבִירָה מַעֲבִירִים הֵבַנְתִּי הֵבַנּוּ שָׁמַעְתִּי רָשַׁמְתִּי "
    U"קִיבַּלְתִּי הִגַּעְתֶּם אָמַרְתָּ אָמַרְתֶּם דִּיבַּרְנוּ מֵבִין מְבִינָה שׁוֹמֵעַ שׁוֹמַעַת נִקְלַט נִקְלְטָה נִרְשַׁם "
    U"דִּירָה דִּירוֹת דִּירַת בַּיִת בָּתִּים בֵּית מִשְׂרָד מִשְׂרָדִים מִשְׂרַד חֲנוּת חֲנוּיוֹת מִגְרָשׁ מִגְרָשִׁים קַרְקַע נֶכֶס נְכָסִים "
    U"חֶדֶר חֲדָרִים חַדְרֵי קוֹמָה קוֹמוֹת מַעֲלִית חֲנָיָה מִרְפֶּסֶת מַחְסָן גִּינָה גַּג מִטְבָּח סָלוֹן בִּנְיָן בִּנְיָנִים שֶׁטַח "
    U"מֶטֶר מְטָרִים רָהִיט רָהִיטִים מְרוֹהֶטֶת מְשׁוּפֶּצֶת פְּנוּיָה פָּנוּי חָדָשׁ חֲדָשָׁה יָשָׁן גָּדוֹל גְּדוֹלָה קָטָן קְטַנָּה יָפֶה יָפָה "
    U"מְחִיר מְחִירִים תַּקְצִיב שֶׁקֶל שְׁקָלִים אֶלֶף אַלְפֵּי אֲלָפִים מִילְיוֹן מִילְיוֹנִים מֵאָה מֵאוֹת אָחוּז אֲחוּזִים כֶּסֶף תַּשְׁלוּם "
    U"שְׂכִירוּת הַשְׂכָּרָה מְכִירָה קְנִיָּיה רְכִישָׁה לִרְכּוֹשׁ מַשְׁכַּנְתָּא תִּיווּךְ מְתַוֵּוךְ מְתַוֶּוכֶת סוֹכֵן סוֹכֶנֶת לָקוֹחַ לָקוֹחוֹת "
    U"שֵׁם מִסְפָּר מִסְפַּר טֶלֶפוֹן הוֹדָעָה שִׂיחָה פְּגִישָׁה כְּתוֹבֶת רְחוֹב עִיר אֵזוֹר שְׁכוּנָה מֶרְכָּז צָפוֹן דָּרוֹם מִזְרָח מַעֲרָב "
    U"יוֹם יָמִים שָׁבוּעַ שָׁבוּעוֹת חוֹדֶשׁ חוֹדָשִׁים שָׁנָה שָׁנִים שָׁעָה שָׁעוֹת דַּקָּה דַּקּוֹת בּוֹקֶר צָהֳרַיִים עֶרֶב לַיְלָה "
    U"רִאשׁוֹן שֵׁנִי שְׁלִישִׁי רְבִיעִי חֲמִישִׁי שִׁישִׁי שַׁבָּת רִאשׁוֹנָה שְׁנִיָּה "
    U"אֶפֶס אַחַת אֶחָד שְׁתַּיִים שְׁנַיִים שְׁתֵּי שְׁנֵי שָׁלוֹשׁ שְׁלוֹשָׁה אַ֫רְבַּע אַרְבָּעָה חָמֵשׁ חֲמִישָּׁה שֵׁשׁ שִׁישָּׁה שֶׁבַע שִׁבְעָה "
    U"שְׁמוֹנֶה שְׁמוֹנָה תֵּשַׁע תִּשְׁעָה עֶשֶׂר עֲשָׂרָה עֶשְׂרִים שְׁלוֹשִׁים אַרְבָּעִים חֲמִישִּׁים שִׁישִּׁים שִׁבְעִים שְׁמוֹנִים תִּשְׁעִים "
    U"חֵ֫צִי רֶבַע כּוֹכָבִית סוּלָּמִית מַקָּשׁ סִפְרָה "
    U"טוֹב טוֹבָה טוֹבִים נָכוֹן בְּסֵדֶר מְצוּיָּן בֶּטַח אוּלַי מְאוֹד קְצָת הַרְבֵּה יוֹתֵר פָּחוֹת כָּל הַכּוֹל כָּכָה לָכֵן בִּגְלַל כְּדֵי "
    U"עֲבוּר לְגַבֵּי בָּרוּר נוֹסָף נוֹסֶפֶת אַחֵר אַחֶרֶת אֲחֵרִים אֲחֵרוֹת שׁוּב עֲדַיִן תָּמִיד לִפְעָמִים פַּעַם פְּעָמִים קוֹדֶם "
    U"אָדוֹן גְּבֶרֶת אָדָם אֲנָשִׁים אִישׁ אִישָּׁה מִשְׁפָּחָה יְלָדִים יֶלֶד עוֹזֶרֶת עוֹזֵר נָצִיג נְצִיגָה דִּיגִיטָלִי דִּיגִיטָלִית "
    U"מֵידָע פְּרָטִים שְׁאֵלָה שְׁאֵלוֹת תְּשׁוּבָה בְּעָיָה עֶזְרָה שֵׁירוּת צֶוֶות חֶבְרָה עֵסֶק עֲדַיִין בִּנְיָין בְּאֵר קַו שְׂכַר מִסְחָרִיִּים מִסְחָרִי לַחֲזָרָה בָּעֶרֶב בַּבּוֹקֶר "
    U"לַסּוֹכֵן הֶרְצֵל אִימֵייל וָואטְסְאַפּ הַקְלָטָה צְלִיל "
    U"יְרוּשָׁלַיִם תֵּל אָבִיב חֵיפָה רְחוֹבוֹת נְתַנְיָה אַשְׁדּוֹד אַשְׁקְלוֹן חוֹלוֹן הֶרְצְלִיָּה רַמַּת גַּן גִּבְעָתַיִם רַעֲנָנָה מוֹדִיעִין "
    U"אֵילַת טְבֶרְיָה נַהֲרִיָּה עַכּוֹ כַּרְמִיאֵל לוֹד רַמְלָה יָפוֹ שֶׁבַע תִּקְוָה לְצִיּוֹן הַשָּׁרוֹן כְּפַר סָבָא בְּרַק יִשְׂרָאֵל";

struct Exception {
    std::u32string_view vowelled;
    std::string_view phonemes;
};
// כָּל has a qamats that is an o, and so have some nouns; an initial ב or כ of the root keeps its silent sheva.
constexpr std::array exceptions{
    Exception{U"אַחַת", "aX'at"},         Exception{U"כָּל", "kol"},          Exception{U"בְּכָל", "beX'ol"},
    Exception{U"לְכָל", "leX'ol"},        Exception{U"מִכָּל", "mik'ol"},      Exception{U"שֶׁכָּל", "Sek'ol"},
    Exception{U"וְכָל", "veX'ol"},        Exception{U"תָּכְנִית", "toXn'it"},   Exception{U"חָכְמָה", "XoXm'a"},
    Exception{U"אָמְנָם", "omn'am"},       Exception{U"בְּנֵי", "bnej"},        Exception{U"בְּרַק", "bQ\"ak"},
    Exception{U"כְּפַר", "kfaQ\""},        Exception{U"כְּבָר", "kvaQ\""},      Exception{U"בְּרָכָה", "bQ\"aX'a"},
    Exception{U"כְּתוֹבֶת", "kt'ovet"},     Exception{U"חֵיפָה", "Xejf'a"},     Exception{U"בְּעָיָה", "be?aj'a"},
    Exception{U"מֵידָע", "mejd'a"},       Exception{U"עַכְשָׁיו", "aXS'av"},    Exception{U"וָואטְסְאַפּ", "v'otsap"},
    Exception{U"לַיְלָה", "l'ajla"},       Exception{U"בְּסֵדֶר", "bes'edeQ\""}, Exception{U"טֶלֶפוֹן", "t'elefon"},
    Exception{U"הַטֶּלֶפוֹן", "hat'elefon"}, Exception{U"מֶטֶר", "m'eteQ\""},    Exception{U"אִימֵייל", "im'ejl"},
    Exception{U"שֵׁירוּת", "SejQ\"'ut"},   Exception{U"אָנָּא", "'ana"},        Exception{U"אֵלֶּה", "'ele"},
    Exception{U"לָמָּה", "l'ama"},         Exception{U"אֵלַי", "el'aj"},       Exception{U"נְתַנְיָה", "net'anja"},
    Exception{U"רְבִיעִי", "Q\"evi?'i"},
};

struct Abbreviation {
    std::u32string_view plain;
    std::u32string_view words;
};
constexpr std::array abbreviations{
    Abbreviation{U"ש\"ח", U"שְׁקָלִים"},        Abbreviation{U"מ\"ר", U"מֶטֶר מְרֻבָּע"},
    Abbreviation{U"ת\"א", U"תֵּל אָבִיב"},      Abbreviation{U"ב\"ש", U"בְּאֵר שֶׁבַע"},
    Abbreviation{U"פ\"ת", U"פֶּתַח תִּקְוָה"},     Abbreviation{U"ראשל\"צ", U"רִאשׁוֹן לְצִיּוֹן"},
    Abbreviation{U"עו\"ד", U"עוֹרֵךְ דִּין"},    Abbreviation{U"ד\"ר", U"דּוֹקְטוֹר"},
    Abbreviation{U"בע\"מ", U"בְּעֵרָבוֹן מֻגְבָּל"}, Abbreviation{U"נדל\"ן", U"נַדְלָן"},
    Abbreviation{U"ממ\"ד", U"מָמָד"},         Abbreviation{U"דו\"ח", U"דּוּחַ"},
    Abbreviation{U"חו\"ל", U"חוּץ לָאָרֶץ"},    Abbreviation{U"ארה\"ב", U"אַרְצוֹת הַבְּרִית"},
    Abbreviation{U"סה\"כ", U"סַךְ הַכֹּל"},      Abbreviation{U"אח\"כ", U"אַחַר כָּךְ"},
    Abbreviation{U"בד\"כ", U"בְּדֶרֶךְ כְּלָל"},    Abbreviation{U"דוא\"ל", U"דּוֹאַר אֶלֶקְטְרוֹנִי"},
    Abbreviation{U"רח'", U"רְחוֹב"},          Abbreviation{U"מס'", U"מִסְפָּר"},
    Abbreviation{U"טל'", U"טֶלֶפוֹן"},         Abbreviation{U"גב'", U"גְּבֶרֶת"},
    Abbreviation{U"שד'", U"שְׂדֵרוֹת"},         Abbreviation{U"וכו'", U"וְכֻלֵּי"},
    Abbreviation{U"אונ'", U"אוּנִיבֶרְסִיטַת"},   Abbreviation{U"קומ'", U"קוֹמָה"},
};

using Lexicon = std::map<std::u32string, std::u32string_view, std::less<>>;

const Lexicon& lexicon() {
    static const Lexicon words = [] {
        Lexicon made;
        std::u32string_view rest = common_words;
        while (!rest.empty()) {
            const auto end = rest.find(U' ');
            const std::u32string_view word = rest.substr(0, end);
            made.emplace(plain_text(word), word);
            rest = end == std::u32string_view::npos ? U"" : rest.substr(end + 1);
        }
        return made;
    }();
    return words;
}

}  // namespace

std::optional<std::string_view> spoken_exception(const HebrewWord& word) {
    static const auto known = [] {
        std::vector<std::pair<HebrewWord, std::string_view>> made;
        for (const Exception& exception : exceptions) {
            made.emplace_back(to_hebrew_word(exception.vowelled), exception.phonemes);
        }
        return made;
    }();
    for (const auto& [written, phonemes] : known) {
        if (written == word) {
            return phonemes;
        }
    }
    return std::nullopt;
}

std::optional<std::u32string> vowelled_form(std::u32string_view plain) {
    constexpr std::u32string_view prefixes = U"והבלמשכ";
    constexpr std::size_t prefixes_max = 3;  // "ושה..." is the longest that people write.
    std::u32string_view rest = plain;
    for (std::size_t taken = 0;; ++taken) {
        if (const auto found = lexicon().find(rest); found != lexicon().end()) {
            std::u32string word(found->second);
            for (std::size_t i = taken; i > 0; --i) {
                // The article hides in "in the" and "to the"; plain text does not tell, so the preposition is said.
                word = with_prefix(plain[i - 1], word);
            }
            return word;
        }
        // The more prefixes, the longer the word must be: "כביש" is a road, not "as in there is".
        const bool more =
            taken < prefixes_max && rest.size() > taken + 2 && prefixes.find(rest.front()) != std::u32string_view::npos;
        if (!more) {
            return std::nullopt;
        }
        rest.remove_prefix(1);
    }
}

std::optional<std::u32string_view> abbreviation(std::u32string_view plain) {
    for (const Abbreviation& known : abbreviations) {
        if (known.plain == plain) {
            return known.words;
        }
    }
    return std::nullopt;
}

}  // namespace agentlocator::speech
