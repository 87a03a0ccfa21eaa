// Stands in for undici's second parser in the bundle: an experiment, which is off where nobody turns it on.
exports.getMiloEnabled = () => false
