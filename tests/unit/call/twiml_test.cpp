#include "supervisor/call/twiml.hpp"

#include <doctest/doctest.h>

using namespace agentlocator::call;

namespace {

HttpAnswer xml(std::string body, std::string type = "text/xml; charset=utf-8") {
    HttpAnswer answer;
    answer.status = 200;
    answer.content_type = std::move(type);
    answer.body = std::move(body);
    return answer;
}

Rule only_rule(const HttpAnswer& answer) {
    Violations violations;
    (void)read_twiml(answer, violations);
    REQUIRE(violations.list().size() == 1);
    return violations.list().front().rule;
}

}  // namespace

TEST_CASE("twiml: verbs, attributes, nesting and entities are read") {
    Violations violations;
    const auto verbs =
        read_twiml(xml(R"(<?xml version="1.0" encoding="UTF-8"?><Response><Connect action="/e?a=1&amp;b=2">)"
                       R"(<Stream url="wss://h/ws"><Parameter name="tenant" value="מרפאה &amp; בנים"/>)"
                       R"(</Stream></Connect><Say language="he-IL">שלום</Say><Hangup/></Response>)"),
                   violations);
    REQUIRE(verbs);
    REQUIRE(verbs->size() == 3);
    const TwimlNode& connect = verbs->at(0);
    CHECK(connect.name == "Connect");
    CHECK(connect.attribute("action") == "/e?a=1&b=2");
    CHECK_FALSE(connect.attribute("method"));
    REQUIRE(connect.children.size() == 1);
    CHECK(connect.children[0].children.at(0).attribute("value") == "מרפאה & בנים");
    CHECK(verbs->at(1).text == "שלום");
    CHECK(violations.total() == 0);
}

TEST_CASE("twiml: an empty Response is a document, with and without a declaration") {
    for (const char* body : {"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>", "<Response></Response>"}) {
        Violations violations;
        const auto verbs = read_twiml(xml(body), violations);
        REQUIRE(verbs);
        CHECK(verbs->empty());
        CHECK(violations.total() == 0);
    }
}

TEST_CASE("twiml: what Twilio cannot parse is 12100") {
    for (const char* body :
         {"", "OK", "<Response>", "<Response><Say>a & b</Say></Response>", "<Response></response>",
          "<Response/><Response/>", "<Response><Play loop=1/></Response>", "<Response><Say a='1' a='2'/></Response>",
          "<Response>\xFF</Response>", "<!DOCTYPE Response [<!ENTITY x 'y'>]><Response>&x;</Response>",
          "<Response>&nbsp;</Response>"}) {
        CAPTURE(body);
        CHECK(only_rule(xml(body)) == Rule::parse_failure);
    }
    Violations violations;
    CHECK_FALSE(read_twiml(xml(" <?xml version=\"1.0\"?><Response/>"), violations));  // Blank before the declaration.
    CHECK(only_rule(xml("\n<Response/>")) == Rule::parse_failure);
    CHECK(only_rule(xml("\xEF\xBB\xBF<Response/>")) == Rule::parse_failure);
}

TEST_CASE("twiml: depth is limited") {
    const auto nested = [](int depth) {
        std::string body;
        for (int i = 1; i < depth; ++i) {
            body += "<Say>";
        }
        for (int i = 1; i < depth; ++i) {
            body += "</Say>";
        }
        return xml("<Response>" + body + "</Response>");
    };
    Violations violations;
    CHECK(read_twiml(nested(twiml_depth_max), violations));
    CHECK(violations.total() == 0);
    CHECK(only_rule(nested(twiml_depth_max + 1)) == Rule::parse_failure);
}

TEST_CASE("twiml: root, status, size and content type") {
    CHECK(only_rule(xml("<html></html>")) == Rule::wrong_root);
    CHECK(only_rule(xml("<response/>")) == Rule::wrong_root);
    HttpAnswer answer = xml("<Response/>");
    answer.status = 204;
    answer.content_type.clear();
    answer.body.clear();
    CHECK(only_rule(answer) == Rule::parse_failure);  // The original's 204: Twilio says 12100.
    answer.status = 404;
    CHECK(only_rule(answer) == Rule::http_status);
    answer.status = 0;
    answer.failure = "refused";
    CHECK(only_rule(answer) == Rule::http_connect);
    CHECK(only_rule(xml("<Response/>", "application/json")) == Rule::content_type);
    CHECK(only_rule(xml("<Response/>", "")) == Rule::content_type);

    const std::string frame = "<Response></Response>";
    Violations violations;
    CHECK(read_twiml(xml("<Response>" + std::string(twiml_bytes_max - frame.size(), ' ') + "</Response>"), violations));
    CHECK(violations.total() == 0);
    CHECK(only_rule(xml("<Response>" + std::string(twiml_bytes_max - frame.size() + 1, ' ') + "</Response>")) ==
          Rule::body_too_large);
    for (const char* type : {"application/xml", "TEXT/XML", "text/html; charset=utf-8", "text/plain"}) {
        CHECK(read_twiml(xml("<Response/>", type), violations));
    }
    CHECK(violations.total() == 0);
    answer = xml("<Response/>");
    answer.chunked = true;
    CHECK(only_rule(answer) == Rule::parse_failure);
}

TEST_CASE("twiml: a mis-cased verb warns and the rest still runs") {
    Violations violations;
    const auto verbs = read_twiml(xml("<Response><say>x</say><Hangup/></Response>"), violations);
    REQUIRE(verbs);
    CHECK(verbs->size() == 2);
    REQUIRE(violations.list().size() == 1);
    CHECK(violations.list()[0].rule == Rule::schema);
}

TEST_CASE("callback: 204 without a body or 200 with TwiML, nothing else") {
    const auto faults = [](unsigned status, std::string body, std::string type) {
        HttpAnswer answer = xml(std::move(body), std::move(type));
        answer.status = status;
        Violations violations;
        check_callback_answer(answer, "stream-started", violations);
        return violations.total();
    };
    CHECK(faults(204, "", "") == 0);
    CHECK(faults(200, "<Response/>", "text/xml") == 0);
    CHECK(faults(204, "x", "text/plain") == 1);
    CHECK(faults(200, "", "text/xml") == 1);
    CHECK(faults(200, "OK", "text/plain") == 1);
    CHECK(faults(500, "", "") == 1);
    CHECK(faults(0, "", "") == 1);
}

TEST_CASE("violation: the same fault is counted, excerpts are one short line, the list is bounded") {
    Violations violations;
    violations.add(Rule::invalid_message, "unknown event x", "a\r\nb");
    violations.add(Rule::invalid_message, "unknown event x", "c");
    REQUIRE(violations.list().size() == 1);
    CHECK(violations.list()[0].count == 2);
    CHECK(violations.list()[0].excerpt == "a\\x0d\\x0ab");
    CHECK(shorten(std::string(excerpt_bytes_max, 'x')) == std::string(excerpt_bytes_max, 'x'));
    CHECK(shorten(std::string(excerpt_bytes_max + 1, 'x')) == std::string(excerpt_bytes_max, 'x') + "... (161 bytes)");
    CHECK(shorten(std::string(excerpt_bytes_max - 1, 'x') + "אב")
              .starts_with(std::string(excerpt_bytes_max - 1, 'x') + "..."));
    for (std::size_t i = 0; i < violations_max + 5; ++i) {
        violations.add(Rule::schema, "verb " + std::to_string(i));
    }
    CHECK(violations.list().size() == violations_max);
    CHECK(violations.total() == violations_max + 7);
    Violations sum;
    sum.merge(violations);
    sum.merge(violations);
    CHECK(sum.list().size() == violations_max);
    CHECK(sum.list()[0].count == 4);
    CHECK(sum.total() == 2 * violations.total());
}
