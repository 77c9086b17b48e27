using Proxy.Edge.Protocol;

namespace Proxy.Edge.Tests.Protocol;

public sealed class PooledBodyTests
{
    [Fact]
    public void A_small_buffer_costs_nothing_a_large_one_what_it_is_until_it_is_given_back()
    {
        var share = new MemoryShare(null, 10 << 20);
        using (var body = new PooledBody(share: share))
        {
            body.GetMemory(MemoryShare.FreeBytes);
            Assert.Equal(0, share.Taken);
            body.GetMemory(1 << 20);
            Assert.InRange(share.Taken, (1 << 20) - MemoryShare.FreeBytes, 2 << 20);
        }
        Assert.Equal(0, share.Taken);
    }

    [Fact]
    public void One_that_has_become_large_is_given_back_when_its_message_was_read()
    {
        var share = new MemoryShare(null, 10 << 20);
        using var body = new PooledBody(share: share);
        body.GetMemory(4 << 20);
        body.Clear();
        Assert.Equal(0, share.Taken);
    }

    [Fact]
    public void It_grows_no_further_than_every_share_above_it_allows()
    {
        var all = new MemoryShare(null, 3 << 20);
        var (first, second) = (new MemoryShare(all, 2 << 20), new MemoryShare(all, 2 << 20));
        using var one = new PooledBody(share: first);
        Assert.False(one.TryReserve(3 << 20));
        Assert.True(one.TryReserve(2 << 20));
        using var other = new PooledBody(share: second);
        Assert.False(other.TryReserve(2 << 20));
        Assert.Equal((0, first.Taken), (second.Taken, all.Taken));
        // What upstream has sent is here already.
        using var here = new PooledBody(share: all, isHere: true);
        Assert.True(here.TryReserve(2 << 20));
        one.Dispose();
        here.Dispose();
        Assert.True(other.TryReserve(2 << 20));
    }
}
