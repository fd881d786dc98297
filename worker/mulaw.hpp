#pragma once
// Moved: the speech helper needs it too.
#include "common/mulaw.hpp"
