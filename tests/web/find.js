// Look an address up with WebFinger: node find.js ADDRESS
const found = require("webfinger.js");
const WebFinger = found.default || found.WebFinger || found;
new WebFinger({ tls_only: false, webfist_fallback: false, uri_fallback: false, request_timeout: 9000, allow_private_addresses: true })
  .lookup(process.argv[2])
  .then((p) => console.log(JSON.stringify(p)))
  .catch((e) => {
    console.error(e);
    process.exit(1);
  });
