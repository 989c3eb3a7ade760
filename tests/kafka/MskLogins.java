import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerExtensionsValidatorCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

/**
 * Verifies logins like the brokers of Amazon MSK. The token is a signed request to AWS. This class computes the
 * signature again by AWS's published rules (Signature Version 4), with the secret from the broker's settings.
 *
 * Options of its JAAS entry: accessKey, secretKey, region, lifetimeMs (how long a login is valid for a connection).
 */
public final class MskLogins implements AuthenticateCallbackHandler {
    private static final DateTimeFormatter AMZ_DATE =
            DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

    private Map<String, ?> options;

    @Override
    public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {
        options = entries.get(0).getOptions();
    }

    @Override
    public void handle(Callback[] callbacks) throws IOException, UnsupportedCallbackException {
        for (Callback callback : callbacks) {
            if (callback instanceof OAuthBearerValidatorCallback asked) {
                judge(asked);
            } else if (callback instanceof OAuthBearerExtensionsValidatorCallback asked) {
                asked.inputExtensions().map().keySet().forEach(asked::valid);
            } else {
                throw new UnsupportedCallbackException(callback);
            }
        }
    }

    @Override
    public void close() {
        // nothing to close
    }

    private void judge(OAuthBearerValidatorCallback asked) throws IOException {
        try {
            asked.token(login(asked.tokenValue()));
            System.out.println("login accepted");
        } catch (IllegalArgumentException | GeneralSecurityException refusal) {
            System.out.println("login refused: " + refusal.getMessage());
            asked.error("invalid_token", null, null);
        }
    }

    private OAuthBearerToken login(String token) throws GeneralSecurityException {
        URI request = URI.create(new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8));
        String host = "kafka." + option("region") + ".amazonaws.com";
        require(host.equals(request.getHost()), "another host: " + request.getHost());
        List<String> pairs = Arrays.asList(request.getRawQuery().split("&"));
        Map<String, String> query = pairs.stream().map(pair -> pair.split("=", 2))
                .collect(Collectors.toMap(pair -> pair[0], pair -> pair[1]));
        String date = query.get("X-Amz-Date");
        String scope = date.substring(0, 8) + "/" + option("region") + "/kafka-cluster/aws4_request";
        require("kafka-cluster%3AConnect".equals(query.get("Action")), "another action");
        require("host".equals(query.get("X-Amz-SignedHeaders")), "other headers");
        require((option("accessKey") + "/" + scope).replace("/", "%2F").equals(query.get("X-Amz-Credential")), "unknown key");
        Instant signed = Instant.from(AMZ_DATE.parse(date));
        Instant end = signed.plusSeconds(Long.parseLong(query.get("X-Amz-Expires")));
        require(Instant.now().isBefore(end), "it has ended");
        String canonical = pairs.stream().filter(pair -> !pair.startsWith("X-Amz-Signature=") && !pair.startsWith("User-Agent="))
                .sorted().collect(Collectors.joining("&"));
        String asked = String.join("\n", "GET", "/", canonical, "host:" + host, "", "host", hex(sha256("")));
        String text = String.join("\n", "AWS4-HMAC-SHA256", date, scope, hex(sha256(asked)));
        byte[] key = ("AWS4" + option("secretKey")).getBytes(StandardCharsets.UTF_8);
        for (String part : scope.split("/")) {
            key = hmac(key, part);
        }
        require(hex(hmac(key, text)).equals(query.get("X-Amz-Signature")), "the signature is not ours");
        return new Login(token, signed, Instant.now().plusMillis(Long.parseLong(option("lifetimeMs"))));
    }

    private String option(String name) {
        return String.valueOf(options.get(name));
    }

    private static void require(boolean holds, String refusal) {
        if (!holds) {
            throw new IllegalArgumentException(refusal);
        }
    }

    private static byte[] sha256(String text) throws GeneralSecurityException {
        return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
    }

    private static byte[] hmac(byte[] key, String text) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    private record Login(String value, Instant signed, Instant end) implements OAuthBearerToken {
        @Override
        public Set<String> scope() {
            return Set.of();
        }

        @Override
        public long lifetimeMs() {
            return end.toEpochMilli();
        }

        @Override
        public String principalName() {
            return "reader";
        }

        @Override
        public Long startTimeMs() {
            return signed.toEpochMilli();
        }
    }
}
