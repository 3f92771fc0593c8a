import java.net.CookieManager;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A shopper's journey with the HTTP client of the JDK, which offers h2c with every request. */
public class Journey {
    static final HttpClient CLIENT = HttpClient.newBuilder()
        .cookieHandler(new CookieManager()).connectTimeout(Duration.ofSeconds(10)).build();
    static String base;
    static String etag = "";

    static HttpResponse<String> send(int expected, String method, String path, String body, String... headers)
            throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base + path)).timeout(Duration.ofSeconds(20));
        HttpRequest.BodyPublisher content = body == null
            ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body);
        if (body != null) request.header("Content-Type", "application/json");
        if (headers.length > 0) request.headers(headers);
        HttpResponse<String> answer = CLIENT.send(
            request.method(method, content).build(), HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != expected)
            throw new IllegalStateException(method + " " + path + ": " + answer.statusCode() + " " + answer.body());
        etag = answer.headers().firstValue("etag").orElse(etag);
        return answer;
    }

    static String find(String pattern, String text) {
        Matcher found = Pattern.compile(pattern).matcher(text);
        if (!found.find()) throw new IllegalStateException(pattern + " is not in " + text);
        return found.group(1);
    }

    public static void main(String[] arguments) throws Exception {
        base = arguments[0];
        String key = "Bearer " + arguments[1];
        String cart = find("\"cart_id\":\"([^\"]+)\"", send(200, "GET", "/cart", null).body());
        send(200, "POST", "/cart/items", "{\"sku\": \"apple\"}");
        send(200, "POST", "/cart/items", "{\"sku\": \"tea\", \"quantity\": 2}", "Idempotency-Key", "once");
        send(200, "POST", "/cart/items", "{\"sku\": \"tea\", \"quantity\": 2}", "Idempotency-Key", "once");
        String stale = etag;
        send(200, "PATCH", "/cart/items", "{\"line_id\": \"apple\", \"quantity\": 5}", "If-Match", etag);
        send(412, "PATCH", "/cart/items", "{\"line_id\": \"apple\", \"quantity\": 6}", "If-Match", stale);
        send(304, "GET", "/cart", null, "If-None-Match", etag);
        send(422, "POST", "/cart/items", "{\"sku\": \"apple\", \"quantity\": -1}");
        send(200, "DELETE", "/cart/items/tea", null);
        String held = send(200, "POST", "/cart/checkout", "{}").body();
        String checkout = find("\"checkout_id\":\"([^\"]+)\"", held);
        send(401, "POST", "/carts/" + cart + "/checkout/" + checkout + "/complete", "{\"order_id\": \"order-1\"}");
        String done = send(200, "POST", "/carts/" + cart + "/checkout/" + checkout + "/complete",
            "{\"order_id\": \"order-1\"}", "Authorization", key).body();
        find("(\"total_quantity\":0)", done);
        if (!find("\"cart_id\":\"([^\"]+)\"", send(200, "GET", "/cart", null).body()).equals(cart))
            throw new IllegalStateException("another cart");
        System.out.println("done " + cart);
    }
}
