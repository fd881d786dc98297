#include "store/io/open_database.hpp"

namespace agentlocator {

Result<std::unique_ptr<Database>> open_database(const DatabaseAddress& address, DatabasePatience patience) {
    return address.kind == Database::Kind::sqlite ? open_sqlite(address.target, patience)
                                                  : open_postgres(address.target, patience);
}

}  // namespace agentlocator
