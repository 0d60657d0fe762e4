using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;
using Microsoft.Playwright;

namespace MLNetExtension.InteropTests.Serving;

/// <summary>The page to chat with, in a browser.</summary>
[TestClass]
public sealed partial class ChatPageTests
{
    private const string Chromium = "/usr/bin/chromium";

    private const string StopOnceGrown =
        """
        i => {
            const stop = document.querySelector('#stop');
            if (stop.hidden) return 'ended';
            if (document.querySelectorAll('.assistant p')[i].textContent.length <= 20) return false;
            stop.click();
            return 'stopped';
        }
        """;

    [TestMethod]
    public async Task A_chat_on_the_page_shows_the_model_s_answers_and_how_fast_they_came()
    {
        await using TestServer server = await TestServer.StartAsync();
        using IPlaywright playwright = await CreatePlaywrightAsync();
        await using IBrowser browser = await LaunchAsync(playwright);
        IPage page = await browser.NewPageAsync();
        List<string> requests = [], complaints = [];
        page.Request += (_, request) => requests.Add(request.Url);
        page.Console += (_, message) => complaints.Add(message.Text);
        page.PageError += (_, error) => complaints.Add(error);
        await page.GotoAsync(server.Address);
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("small");
        await page.Locator("#temperature").FillAsync("0");
        await page.Locator("#tokens").FillAsync("24");
        await page.Locator("#system").FillAsync("Be brief.");

        await page.Locator("#input").FillAsync("How are you?");
        await page.Locator("#input").PressAsync("Enter");
        string first = await ReadAnswerAsync(page, 0);
        await page.Locator("#input").FillAsync("And <b>now</b>?");
        await page.Locator("#send").ClickAsync();
        string second = await ReadAnswerAsync(page, 1);

        using IChatClient chat = server.Transformer.AsChatClient();
        List<ChatMessage> messages = [new(ChatRole.System, "Be brief."), new(ChatRole.User, "How are you?")];
        ChatOptions options = new() { Temperature = 0, MaxOutputTokens = 24 };
        string expected = (await chat.GetResponseAsync(messages, options)).Text;
        Assert.AreEqual(expected, first);
        messages.AddRange([new(ChatRole.Assistant, expected), new(ChatRole.User, "And <b>now</b>?")]);
        Assert.AreEqual((await chat.GetResponseAsync(messages, options)).Text, second);
        Assert.AreEqual("And <b>now</b>?", await page.Locator(".user p").Nth(1).TextContentAsync(), "what is said is no HTML");
        StringAssert.Matches(await page.Locator(".assistant small").First.TextContentAsync(), Speed());
        Assert.IsTrue(requests.All(url => url.StartsWith(server.Address, StringComparison.Ordinal) || url.StartsWith("data:", StringComparison.Ordinal)), string.Join('\n', requests));
        Assert.AreEqual("", string.Join('\n', complaints));
    }

    [TestMethod]
    public async Task An_answer_grows_while_it_is_generated_and_can_be_stopped()
    {
        await using TestServer server = await TestServer.StartAsync(contextLength: 8192);
        using IPlaywright playwright = await CreatePlaywrightAsync();
        await using IBrowser browser = await LaunchAsync(playwright);
        IPage page = await browser.NewPageAsync();
        await page.GotoAsync(server.Address);
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("small");
        await page.Locator("#temperature").FillAsync("1");
        await page.Locator("#tokens").FillAsync("4000");
        // Another answer each time: one that the model ends at once is not the one to look at.
        for (int attempt = 0; ; attempt++)
        {
            await page.Locator("#input").FillAsync("Go on.");
            await page.Locator("#send").ClickAsync();
            ILocator answer = page.Locator(".assistant").Nth(attempt);
            // In one step, so that the answer cannot end between a look and a click.
            IJSHandle outcome = await page.WaitForFunctionAsync(StopOnceGrown, attempt);
            if (await outcome.JsonValueAsync<string>() == "ended" && attempt < 20)
                continue;
            await Assertions.Expect(answer.Locator("small")).ToContainTextAsync("stopped");
            break;
        }
        await server.WaitUntilIdleAsync();
        await Assertions.Expect(page.Locator("#send")).ToBeVisibleAsync();
        await page.Locator("#new").ClickAsync();
        await Assertions.Expect(page.Locator(".message")).ToHaveCountAsync(0);
    }

    [TestMethod]
    public async Task A_key_is_asked_for_where_one_is_needed_and_errors_are_shown()
    {
        await using TestServer server = await TestServer.StartAsync(settings => settings with { ApiKey = "secret" });
        using IPlaywright playwright = await CreatePlaywrightAsync();
        await using IBrowser browser = await LaunchAsync(playwright);
        IPage page = await browser.NewPageAsync();
        await page.GotoAsync(server.Address);
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("An API key is needed");
        await page.Locator("#key").FillAsync("secret");
        await page.Locator("#key").PressAsync("Tab");
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("small");

        await page.Locator("#input").FillAsync(new string('x', 600));
        await page.Locator("#send").ClickAsync();
        await Assertions.Expect(page.Locator(".assistant.failed p")).ToContainTextAsync("the model's context holds 512");
    }

    private static async Task<string> ReadAnswerAsync(IPage page, int index)
    {
        ILocator answer = page.Locator(".assistant").Nth(index);
        await Assertions.Expect(answer).Not.ToHaveClassAsync(new Regex("live|failed"));
        return await answer.Locator("p").EvaluateAsync<string>("p => p.textContent");
    }

    private static async Task<IPlaywright> CreatePlaywrightAsync()
    {
        // A browser that starts on a busy machine takes its time.
        Assertions.SetDefaultExpectTimeout(30_000);
        if (!File.Exists(Chromium))
        {
            const string missing = $"There is no {Chromium}: the page is not tested.";
            if (Environment.GetEnvironmentVariable("CI") == "true")
                Assert.Fail(missing);
            Assert.Inconclusive(missing);
        }
        return await Playwright.CreateAsync();
    }

    private static Task<IBrowser> LaunchAsync(IPlaywright playwright) =>
        playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = Chromium, Args = ["--no-sandbox"] });

    [GeneratedRegex(@"^\d+ tokens · \d+\.\d tokens/s")]
    private static partial Regex Speed();
}
