// Stands in for undici's second parser in the bundle: an experiment that only an environment variable of undici's turns on.
exports.getMiloEnabled = () => false
