package classbench

import (
	"fmt"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof/policy"
)

// BenchmarkClassifyMany classifies packets that no branch predictor has seen
// before.
func BenchmarkClassifyMany(b *testing.B) {
	for _, n := range []int{100, 1000, 9000} {
		for _, family := range Families() {
			b.Run(fmt.Sprintf("%s-%d", family, n), func(b *testing.B) {
				rules := Rules(family, n, 1)
				p, err := policy.New(rules, fabric.Drop)
				if err != nil {
					b.Fatal(err)
				}
				packets := packetsNear(rules, 1)
				for i := 0; b.Loop(); i++ {
					p.Classify(packets[i%len(packets)])
				}
			})
		}
	}
}
